"""Photos to begin with: those that installed packages bring, or a folder of one's own."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import numpy as np

from photos.crop import resized_square
from photos.read import MAX_BYTES, Photo, PhotoError, read_photo, read_small, shown_name
from photos.source import ENDINGS

FOLDER = "UNFOOL_GALLERY"
"""The environment's word for the folder whose photos take the place of ours."""
_LOOK_AGAIN = 5.0
"""Seconds after which a file that was added to the folder is seen."""
_KEPT = 8
"""Decoded photos of a folder; a camera's has 36 MB each."""


@dataclass(frozen=True)
class GalleryEntry:
    """A photo that can be asked for by name.

    Attributes:
        name: what links and commands call it.
        file: its path inside the package's folder, or the whole path where there is no package.
        title: what it shows.
        label: the thing in a word or two; None keeps one of ours out of ``gallery()``, and one of a folder
            has none where it lies in no folder of its own label.
        credit: who made it, and under which terms it is used.
        imagenet: what ImageNet calls the thing; several where its labels are finer than the photo, none where
            it has no label for it.
        package: the module whose installed files have it, which is never imported; None for one of a folder.
    """

    name: str
    file: str
    title: str
    label: str | None
    credit: str
    imagenet: tuple[str, ...] = ()
    package: str | None = "skimage"

    @property
    def path(self) -> Path | None:
        """Where the file is; None where its package is not installed."""
        if self.package is None:
            return Path(self.file)
        folder = package_folder(self.package)
        return folder / self.file if folder else None

    @property
    def stamp(self) -> Hashable:
        """Changes when the file does.

        Raises:
            PhotoError: there is no such file.
        """
        if self.package is not None:
            return None
        try:
            state = Path(self.file).stat()
        except OSError:
            raise PhotoError(f"{shown_name(self.name)} cannot be read any more") from None
        return state.st_mtime_ns, state.st_size


@cache
def package_folder(module: str) -> Path | None:
    """Where an installed package lies, without importing it; None where it is not installed."""
    spec = find_spec(module)
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) if folders else None


def _of_foolbox(file: str, name: str, title: str, label: str, imagenet: str) -> GalleryEntry:
    credit = "A photo of ImageNet, as distributed with foolbox (MIT)"
    return GalleryEntry(name, f"data/imagenet_{file}.jpg", title, label, credit, (imagenet,), "foolbox")


_NASA = "NASA, public domain"
_MIDDLEBURY = "Middlebury Stereo 2014, D. Scharstein et al. (GCPR 2014), as distributed with scikit-image"

ENTRIES = (
    _of_foolbox("04_949", "strawberry", "Strawberries", "strawberry", "strawberry"),
    GalleryEntry(
        "chelsea",
        "data/chelsea.png",
        "Chelsea the cat",
        "cat",
        "Stéfan van der Walt, CC0",
        ("tabby", "tiger cat", "Egyptian cat"),
    ),
    GalleryEntry(
        "stereo_motorcycle",
        "data/motorcycle_left.png",
        "Motorcycle",
        "motorbike",
        _MIDDLEBURY,
        ("moped", "motor scooter"),
    ),
    GalleryEntry(
        "coffee",
        "data/coffee.png",
        "Cup of coffee",
        "coffee",
        "Rachel Michetti, Pikolo Espresso Bar, CC0",
        ("espresso",),
    ),
    _of_foolbox("17_22", "bald_eagle", "Bald eagle in flight", "bald eagle", "bald eagle"),
    _of_foolbox("01_559", "folding_chair", "Folding chairs", "chair", "folding chair"),
    _of_foolbox("10_541", "drum", "Drum with its sticks", "drum", "drum"),
    _of_foolbox("00_243", "bull_mastiff", "Bull mastiff", "dog", "bull mastiff"),
    _of_foolbox("13_471", "cannon", "Cannon on its carriage", "cannon", "cannon"),
    _of_foolbox("15_99", "goose", "Geese on a meadow", "goose", "goose"),
    _of_foolbox("09_455", "bottle_cap", "Cap of a bottle", "bottle cap", "bottlecap"),
    _of_foolbox("18_317", "leafhopper", "Leafhopper", "leafhopper", "leafhopper"),
    _of_foolbox("05_853", "thatched_roof", "Houses under thatched roofs", "thatch", "thatch"),
    _of_foolbox("11_630", "loafer", "Black leather shoe", "shoe", "Loafer"),
    _of_foolbox("08_915", "yurt", "Yurts in a forest", "yurt", "yurt"),
    _of_foolbox("14_129", "spoonbill", "Spoonbills on a power line", "spoonbill", "spoonbill"),
    GalleryEntry("astronaut", "data/astronaut.png", "Eileen Collins, astronaut", None, _NASA),
    GalleryEntry("rocket", "data/rocket.jpg", "Launch of a Falcon 9", None, "SpaceX, public domain"),
    GalleryEntry("retina", "data/retina.jpg", "Retina of an eye", None, "Mikael Häggström (2014), CC0"),
    GalleryEntry("hubble_deep_field", "data/hubble_deep_field.jpg", "Hubble eXtreme Deep Field", None, _NASA),
)
"""All that can be loaded by name. A photo with a label is in the gallery, in this order.

``python -m experiments.gallery_table`` says of each how sure a classifier is of it. The first is what a first
visit sees.
"""


def gallery() -> tuple[str, ...]:
    """Names of the photos that are offered: those of one's own folder, else ours that are installed."""
    return tuple(entry.name for entry in gallery_entries())


def gallery_entries() -> tuple[GalleryEntry, ...]:
    """The photos that are offered, the one of a first visit first."""
    return tuple(_own().values()) or packaged()


def packaged() -> tuple[GalleryEntry, ...]:
    """Our own gallery, whatever folder is named: each shows another thing, which ImageNet has a word for."""
    return tuple(entry for entry in ENTRIES if entry.label is not None and entry.path is not None)


def gallery_remark() -> str:
    """Why the gallery is not what was asked for, in a sentence; empty where it is."""
    named = os.environ.get(FOLDER, "")
    if named and not _own():
        state = "holds no photos, name.jpg or label/name.jpg" if Path(named).is_dir() else "does not exist"
        return f"The folder {named}, which {FOLDER} names, {state}. You see the photos that come with Unfool."
    missing = sorted({str(entry.package) for entry in ENTRIES if entry.path is None})
    if missing and not named:
        return f"Some photos are missing: the package {' and '.join(missing)} is not installed."
    return ""


def gallery_entry(name: str) -> GalleryEntry:
    """Title, label and credit of a photo.

    Raises:
        PhotoError: no photo of that name.
    """
    ours = {entry.name: entry for entry in ENTRIES}
    entry = _own().get(name) or ours.get(name)
    if entry is None:
        raise PhotoError(f"The gallery has {few(list(_own() or ours))}; {name!r} is not there")
    return entry


def gallery_photo(name: str) -> Photo:
    """The photo itself; its digest is that of its file.

    Raises:
        PhotoError: no photo of that name, the package that brings it is not installed, or it cannot be read.
    """
    entry = gallery_entry(name)
    return _packaged_photo(entry) if entry.package else _own_photo(entry, entry.stamp)


def readable(names: Iterable[str]) -> Iterator[Photo]:
    """Those photos of the gallery that can be read."""
    for name in names:
        with suppress(PhotoError):
            yield gallery_photo(name)


def gallery_thumbnail(entry: GalleryEntry, side: int) -> np.ndarray:
    """The centre square of a photo, (side, side, 3) uint8; its own pixels are not kept for it.

    Raises:
        PhotoError: as ``gallery_photo``.
    """
    return resized_square(read_small(_bytes(entry), entry.name, side), side)


def few(names: list[str], most: int = 20) -> str:
    """``names`` for a sentence, the first ``most`` of them."""
    listed = ", ".join(names[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more"


@cache
def _packaged_photo(entry: GalleryEntry) -> Photo:
    return read_photo(_bytes(entry), entry.name)


@lru_cache(maxsize=_KEPT)
def _own_photo(entry: GalleryEntry, stamp: Hashable) -> Photo:
    del stamp
    return read_photo(_bytes(entry), entry.name)


def _bytes(entry: GalleryEntry) -> bytes:
    path = entry.path
    if path is None:
        raise PhotoError(f"{entry.title} is in the package {entry.package}, which is not installed")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        if entry.package is None:
            raise PhotoError(f"{shown_name(entry.name)} cannot be read") from None
        raise PhotoError(f"The installed {entry.package} does not contain {path.name}") from None


# --- a folder of one's own --------------------------------------------------------------------------------


def _own() -> dict[str, GalleryEntry]:
    """The photos of the named folder, by name; empty where none is named or it holds none."""
    named = os.environ.get(FOLDER, "")
    return _listed(named, int(monotonic() / _LOOK_AGAIN)) if named else {}


@lru_cache(maxsize=2)
def _listed(folder: str, now: int) -> dict[str, GalleryEntry]:
    """Nothing is opened here, so that a large folder costs no more than its names."""
    del now
    root = Path(folder)
    files = [file for depth in ("*", "*/*") for file in root.glob(depth) if file.suffix.lower() in ENDINGS]
    inside = [file.relative_to(root) for file in files]
    shown = [file for file in inside if not any(part.startswith(".") for part in file.parts)]
    entries = [_entry(root, file) for file in sorted(shown)]
    return {entry.name: entry for entry in entries}


def _entry(root: Path, file: Path) -> GalleryEntry:
    # A name need not be text, but a link is.
    name = os.fsencode(file.as_posix()).decode("utf-8", "replace")
    label, _, last = name.rpartition("/")
    title, credit = last.rsplit(".", 1)[0], "From the folder of photos of this app"
    return GalleryEntry(name, str(root / file), title, label or None, credit, package=None)
