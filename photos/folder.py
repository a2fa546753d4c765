"""A folder of photos by label: ``folder/<label>/*.jpg``."""

from __future__ import annotations

from pathlib import Path

from photos.read import Photo, PhotoError, read_photo


def list_folder(folder: Path) -> list[tuple[Path, str]]:
    """Every photo file with its label, sorted by path.

    Raises:
        PhotoError: there is none.
    """
    found = [(file, file.parent.name) for file in sorted(folder.glob("*/*.jpg"))]
    if not found:
        raise PhotoError(f"{folder} holds no photos of the form label/name.jpg")
    return found


def open_photo(file: Path) -> Photo:
    """The photo in a file.

    Raises:
        PhotoError: as ``read_photo``.
        OSError: the file cannot be read.
    """
    return read_photo(file.read_bytes(), file.name)
