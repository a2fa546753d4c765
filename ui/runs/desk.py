"""The one worker that computes runs for all visits, one after another; what it has done is on the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from attacks import Cancelled
from classifiers import Classifier
from evaluation.many_photos import run_library
from evaluation.many_photos.evaluate import Manners
from evaluation.many_photos.run_folder import Run
from ui.session.device import device_lent, load_classifier, on_device
from ui.session.notices import UNEXPECTED, sentence

_LOG = logging.getLogger("unfool")
_LENT = 0.002
"""Seconds after every iteration in which the device is free: enough for whoever waits for it to get it."""

Load = Callable[[str, str], Classifier]
"""Name of a classifier and of a device -> the classifier."""


class Desk:
    """Runs that wait, the one in work, and what went wrong with others."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._waiting: deque[Path] = deque()
        self._now: Path | None = None
        self._wrong: dict[Path, str] = {}
        self._dropped: set[Path] = set()
        self._worker: threading.Thread | None = None

    def ask(self, folder: Path) -> None:
        """Has the run in ``folder`` computed to its end, unless it is asked for already."""
        with self._lock:
            if folder == self._now or folder in self._waiting:
                return
            self._wrong.pop(folder, None)
            self._waiting.append(folder)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def holds(self, folder: Path) -> bool:
        """Whether the run waits or is in work."""
        with self._lock:
            return folder == self._now or folder in self._waiting

    def wrong(self, folder: Path) -> str:
        """Why the run was given up, in a sentence; "" where it was not."""
        with self._lock:
            return self._wrong.get(folder, "")

    def drop(self, folder: Path) -> None:
        """Ends the work on the run; returns when nothing is written into its folder any more."""
        with self._lock:
            if folder in self._waiting:
                self._waiting.remove(folder)
            if folder == self._now:
                self._dropped.add(folder)
        while self.holds(folder):
            time.sleep(_LENT)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._now = self._waiting.popleft() if self._waiting else None
                if self._now is None:
                    self._worker = None
                    return
                folder = self._now
            wrong = self._computed(folder)
            with self._lock:
                if wrong:
                    self._wrong[folder] = wrong
                self._dropped.discard(folder)
                self._now = None

    def _computed(self, folder: Path) -> str:
        """Computes a run to its end; gives what went wrong."""

        def pause() -> None:
            if folder in self._dropped:
                raise Cancelled
            with device_lent():
                time.sleep(_LENT)

        try:
            record = run_library.facts_of(Run(folder))
            classifier = self._load(record.get("classifier", ""), record["settings"]["device"])
            run_library.go_on(Run(folder), classifier, Manners(on_device, pause))
        except Cancelled:
            return ""
        except ValueError as error:
            return sentence(error)
        except OSError as error:
            return f"The run cannot be written: {error.strerror or error}."
        except Exception:
            _LOG.exception("A run failed")
            return UNEXPECTED
        return ""


@st.cache_resource(max_entries=1, show_spinner=False)
def desk() -> Desk:
    """The one that all visits share."""
    return Desk(load_classifier)
