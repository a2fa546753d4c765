"""A folder of photos by label: ``folder/<label>/<name>.jpg``, or another format that can be read."""

from __future__ import annotations

from pathlib import Path, PurePath

from photos.read import Photo, PhotoError, read_photo

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def is_photo(file: PurePath) -> bool:
    """Whether a file's name is that of a photo, and not a hidden one."""
    return file.suffix.lower() in ENDINGS and not file.name.startswith(".")


def list_folder(folder: Path) -> list[tuple[Path, str]]:
    """Every photo file with its label, sorted by path.

    Raises:
        PhotoError: there is none.
    """
    files = [
        (file, file.parent.name)
        for file in sorted(folder.glob("*/*"))
        if is_photo(file) and not file.parent.name.startswith(".")
    ]
    if not files:
        raise PhotoError(f"{folder} holds no photos of the form label/name.jpg")
    return files


def open_photo(file: Path) -> Photo:
    """The photo in a file.

    Raises:
        PhotoError: as ``read_photo``.
        OSError: the file cannot be read.
    """
    return read_photo(file.read_bytes(), file.name)
