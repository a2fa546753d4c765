"""Photos that come with scikit-image, to begin with: nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from photos.read import Photo, PhotoError, read_photo


@dataclass(frozen=True)
class GalleryEntry:
    """One of scikit-image's colour photos.

    Attributes:
        name: scikit-image's own name for it.
        file: its file in ``skimage/data``.
        title: what it shows.
        label: what the built-in classifiers rightly say; None where none of its labels fits or one is wrong,
            which keeps the photo out of ``gallery()``.
        credit: who made it, and under which terms it is used.
    """

    name: str
    file: str
    title: str
    label: str | None
    credit: str


_NASA = "NASA, public domain"
_MIDDLEBURY = "Middlebury Stereo 2014, D. Scharstein et al. (GCPR 2014), as distributed with scikit-image"

ENTRIES = (
    GalleryEntry("chelsea", "chelsea.png", "Chelsea the cat", "cat", "Stéfan van der Walt, CC0"),
    GalleryEntry("stereo_motorcycle", "motorcycle_left.png", "Motorcycle", "motorbike", _MIDDLEBURY),
    GalleryEntry("coffee", "coffee.png", "Cup of coffee", None, "Rachel Michetti, Pikolo Espresso Bar, CC0"),
    GalleryEntry("astronaut", "astronaut.png", "Eileen Collins, astronaut", None, _NASA),
    GalleryEntry(
        "stereo_motorcycle_right",
        "motorcycle_right.png",
        "Motorcycle, from the right",
        "motorbike",
        _MIDDLEBURY,
    ),
    GalleryEntry("rocket", "rocket.jpg", "Launch of a Falcon 9", None, "SpaceX, public domain"),
    GalleryEntry("retina", "retina.jpg", "Retina of an eye", None, "Mikael Häggström (2014), CC0"),
    GalleryEntry("hubble_deep_field", "hubble_deep_field.jpg", "Hubble eXtreme Deep Field", None, _NASA),
)
"""All that can be loaded by name. A photo with a label is in the gallery, in this order.

The first is what a first visit sees: the one that the default classifier is surest of.
"""


def gallery() -> tuple[str, ...]:
    """Names of the photos that are offered: those that the built-in classifiers get right."""
    return tuple(entry.name for entry in ENTRIES if entry.label is not None)


def gallery_entry(name: str) -> GalleryEntry:
    """Title, label and credit of a photo.

    Raises:
        PhotoError: no photo of that name.
    """
    for entry in ENTRIES:
        if entry.name == name:
            return entry
    raise PhotoError(f"The gallery has {', '.join(entry.name for entry in ENTRIES)}; {name!r} is not there")


@cache
def gallery_photo(name: str) -> Photo:
    """The photo itself; its digest is that of scikit-image's file.

    Raises:
        PhotoError: no photo of that name, or the installed scikit-image lacks its file.
    """
    entry = gallery_entry(name)
    try:
        data = (files("skimage.data") / entry.file).read_bytes()
    except (ModuleNotFoundError, OSError):
        raise PhotoError(f"The installed scikit-image does not contain {entry.file}") from None
    return read_photo(data, entry.name)
