"""The device that computes, one visitor at a time, and the classifiers on it that all visitors share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
import torch

import classifiers
from classifiers import Classifier
from classifiers.device import out_of_memory
from ui.session.shelf import Shelf

OUT_OF_MEMORY = (
    "There is not enough memory on the device for this; choose a smaller working size or another classifier"
)
_device = threading.Lock()


@contextmanager
def on_device() -> Iterator[None]:
    """The device for oneself: one visitor computes at a time.

    Raises:
        ValueError: the device's memory did not suffice.
    """
    with _device:
        try:
            yield
        except (RuntimeError, MemoryError) as failure:
            if not out_of_memory(failure):
                raise
            error = ValueError(OUT_OF_MEMORY)
        else:
            return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise error


@contextmanager
def device_lent() -> Iterator[None]:
    """Inside ``on_device``: lets others have the device for a moment."""
    _device.release()
    try:
        yield
    finally:
        _device.acquire()


@st.cache_resource(max_entries=1, show_spinner=False)
def _networks() -> Shelf[Classifier]:
    """The classifiers that everybody shares: those that a name stands for."""
    return Shelf(3)


def load_classifier(
    name: str, device: str | None, progress: classifiers.Progress | None = None
) -> Classifier:
    """The classifier of that name, from the shelf where it stands there.

    Raises:
        ClassifierError: it cannot be loaded.
    """
    shelf, key = _networks(), (name, device)
    classifier = shelf.get(key)
    return classifier or shelf.put(key, classifiers.load(name, device=device, progress=progress))
