"""Torchvision's data sets by name, each through its own loader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from photos.read import Photo, PhotoError


@dataclass(frozen=True)
class KnownSet:
    """How one of torchvision's data sets is opened.

    Attributes:
        title: its class in ``torchvision.datasets``.
        options: the part of it that is for testing; ``download`` where torchvision can fetch it.
        targets: the attribute that holds every photo's label.
        numbered: whether its labels are ImageNet's 1000, in their order.
    """

    title: str
    options: Mapping[str, Any]
    targets: str = "targets"
    numbered: bool = False


KNOWN_SETS = {
    "imagenette": KnownSet(
        "Imagenette", {"split": "val", "size": "320px", "download": True}, targets="_samples"
    ),
    "imagenet": KnownSet("ImageNet", {"split": "val"}, numbered=True),
    "cifar10": KnownSet("CIFAR10", {"train": False, "download": True}),
    "svhn": KnownSet("SVHN", {"split": "test", "download": True}, targets="labels"),
}
_DIGITS = tuple(str(digit) for digit in range(10))


@dataclass(frozen=True, eq=False)
class OpenSet:
    """A data set that is there; attributes as of ``photos.source.Source``."""

    name: str
    classes: tuple[tuple[str, ...], ...]
    labels: Sequence[int]
    numbered: bool
    read: Callable[[int], Photo]


def open_known_set(name: str, root: Path | None = None, *, download: bool = True) -> OpenSet:
    """The data set of that name, a key of ``KNOWN_SETS``.

    Args:
        name: which.
        root: the folder that torchvision calls root, by default ``datasets`` in torch.hub's.
        download: whether torchvision may fetch it, where it can.

    Raises:
        PhotoError: it is not there and cannot be had.
    """
    from torchvision import datasets  # takes a second, which only those pay who want one

    wanted = KNOWN_SETS[name]
    folder = Path(torch.hub.get_dir()) / "datasets" if root is None else root
    options = {**wanted.options}
    if "download" in options:
        options["download"] = download
        if download:
            folder.mkdir(parents=True, exist_ok=True)
    try:
        photos: Any = getattr(datasets, wanted.title)(folder, **options)
    except (RuntimeError, OSError) as error:
        raise PhotoError(
            f"{wanted.title} cannot be opened in {folder}: {' '.join(str(error).split())}"
        ) from None
    targets = getattr(photos, wanted.targets)
    labels = [int(entry[1] if isinstance(entry, tuple) else entry) for entry in targets]
    words = [
        (entry,) if isinstance(entry, str) else tuple(entry) for entry in getattr(photos, "classes", _DIGITS)
    ]

    def read(number: int) -> Photo:
        shown = f"{name}/{number:06d}"
        try:
            picture: Image.Image = photos[number][0]
            pixels = np.array(picture.convert("RGB"))
        except Exception:  # whatever its loader and a damaged file make of each other
            raise PhotoError(f"{shown} cannot be decoded") from None
        pixels.flags.writeable = False
        return Photo(shown, hashlib.sha256(pixels.tobytes()).hexdigest(), pixels)

    return OpenSet(name, tuple(words), labels, wanted.numbered, read)
