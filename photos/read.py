"""Bytes to a photo, safely: sizes are checked before anything is decoded, each failure is one sentence."""

from __future__ import annotations

import hashlib
import operator
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from torch import Tensor

from photos.convert import MODES, to_rgb
from photos.crop import centre_square, resized_square

MAX_BYTES = 10_000_000
MAX_PIXELS = 40_000_000
MAX_SIDE = 65_535
FORMATS = ("PNG", "JPEG", "WebP", "BMP", "GIF", "TIFF")
SMALLEST_SIZE, LARGEST_SIZE = 64, 512
"""Range of the working size, in px."""

_MAX_DECODED = 8 * MAX_PIXELS
"""Pixels that one file may make the decoder write, counting rewritten ones; see ``_check_work``."""
_MAX_SCANNED = 200 * MAX_PIXELS


class PhotoError(ValueError):
    """A file that is no readable photo; the message is one sentence for the visitor."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo, upright, without transparency.

    Attributes:
        name: what the visitor calls it: the file's name without folders, or the gallery's.
        digest: sha256 of the file's bytes, hexadecimal; the photo's part of every cache key.
        pixels: (H, W, 3) uint8 RGB, read-only.
    """

    name: str
    digest: str
    pixels: np.ndarray

    @property
    def height(self) -> int:
        """In px."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """In px."""
        return self.pixels.shape[1]

    def working(self, size: int, crop_share: float = 1.0) -> Tensor:
        """The photo as a classifier gets it: (1, 3, size, size) float32 in [0, 1].

        The short side is resized to ``size`` / ``crop_share`` (bilinear with antialias), then the centre is
        cut out; ``Classifier.crop_share`` is the classifier's own. A photo of size x size stays whole.

        Raises:
            PhotoError: ``size`` is not a whole number from 64 to 512.
        """
        square = resized_square(self.pixels, _checked_size(size), crop_share)
        return torch.from_numpy(square).permute(2, 0, 1)[None].contiguous().float().div(255)

    def crop_box(self, size: int | None = None, crop_share: float = 1.0) -> tuple[int, int, int, int]:
        """The part (left, top, right, bottom) that ``working`` shows, in the photo's own px, rounded.

        Without ``size``, the centre square of the photo itself; sizes move it by at most a pixel of the crop.
        """
        side = min(self.height, self.width) if size is None else _checked_size(size)
        box = centre_square(self.width, self.height, side, crop_share)
        left, top, right, bottom = (round(edge) for edge in box)
        return left, top, max(right, left + 1), max(bottom, top + 1)


def read_photo(data: bytes, name: str) -> Photo:
    """The photo in a file's bytes, decoded by content, whatever the name ends in.

    Takes PNG, JPEG, WebP, BMP, GIF and TIFF (of several frames or pages the first); turns it as its EXIF
    orientation says, lays transparency over white, and converts grey, palette, CMYK and 16-bit to 8-bit RGB.

    Raises:
        PhotoError: too many bytes or pixels, another format, damaged or hostile.
    """
    name = shown_name(name)
    _check_bytes(data, name)
    pixels = _decode(data, name)
    pixels.flags.writeable = False
    return Photo(name, hashlib.sha256(data).hexdigest(), pixels)


def read_small(data: bytes, name: str, side: int) -> np.ndarray:
    """The photo's pixels (H, W, 3) uint8, for a picture of it whose short side has no more than ``side`` px.

    As ``read_photo``, but a JPEG is decoded at a half, a quarter or an eighth of its sides where that is
    enough, which takes a fraction of the time.

    Raises:
        PhotoError: as ``read_photo``.
    """
    name = shown_name(name)
    _check_bytes(data, name)
    return _decode(data, name, side)


def _check_bytes(data: bytes, name: str) -> None:
    if not data:
        raise PhotoError(f"{name} is empty")
    if len(data) > MAX_BYTES:
        raise PhotoError(f"{name} has {len(data) / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} MB can be read")


def _decode(data: bytes, name: str, side: int | None = None) -> np.ndarray:
    formats = [name_of_format.upper() for name_of_format in FORMATS]
    try:
        with Image.open(BytesIO(data), formats=formats) as picture:  # reads the header only
            _check_size(picture, name)
            _check_work(picture, data, name)
            if side is not None:
                picture.draft(None, (side, side))
            picture.load()
            return _upright(to_rgb(picture), _orientation(picture))
    except PhotoError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PhotoError(
            f"{name} has too many pixels; at most {MAX_PIXELS / 1e6:.0f} million can be read"
        ) from None
    except UnidentifiedImageError:
        listed = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise PhotoError(f"{name} is not a {listed} picture, or it is damaged") from None
    except Exception:  # a hostile file can make a decoder raise anything
        raise PhotoError(f"{name} is damaged or cut short and cannot be decoded") from None


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if width < 1 or height < 1:
        raise PhotoError(f"{name} has no pixels")
    if width * height > MAX_PIXELS:
        raise PhotoError(
            f"{name} has {width} x {height} pixels; at most {MAX_PIXELS / 1e6:.0f} million can be read"
        )
    if max(width, height) > MAX_SIDE:
        raise PhotoError(f"{name} has {width} x {height} pixels; a side of at most {MAX_SIDE} can be read")
    if picture.mode not in MODES:
        raise PhotoError(f"{name} has the colour mode {picture.mode}, which cannot be read")


def _check_work(picture: Image.Image, data: bytes, name: str) -> None:
    """Refuses small files that keep a decoder busy for hours, writing the same pixels again and again."""
    decoded = 0
    for tile in getattr(picture, "tile", []):
        left, upper, right, lower = tile[1] or (0, 0, 0, 0)
        decoded += (right - left) * (lower - upper)
    # Each scan of a progressive JPEG, announced by these two bytes, passes over all pixels.
    scans = data.count(b"\xff\xda") if picture.format in ("JPEG", "MPO") else 0
    if decoded > _MAX_DECODED or scans * picture.width * picture.height > _MAX_SCANNED:
        raise PhotoError(f"{name} is built so that decoding it would take too long")


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1-8; 1, which is upright, where there is none or where it cannot be read.

    A TIFF is turned by Pillow itself, which then drops the tag.
    """
    try:
        return int(picture.getexif().get(Base.Orientation, 1))
    except Exception:  # the pixels are good, so a damaged EXIF block is no reason to refuse the photo
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def shown_name(name: str) -> str:
    """``name`` without folders and unprintable characters, short enough for a sentence."""
    last = PurePath(name.replace("\\", "/")).name
    printable = "".join(character for character in last if character.isprintable()).strip() or "The photo"
    return printable if len(printable) <= 60 else f"{printable[:40]}…{printable[-15:]}"


def _checked_size(size: int) -> int:
    try:
        whole = operator.index(size)
    except TypeError:
        whole = -1
    if not SMALLEST_SIZE <= whole <= LARGEST_SIZE:
        raise PhotoError(
            f"The working size is a whole number from {SMALLEST_SIZE} to {LARGEST_SIZE} px, not {size!r}"
        )
    return whole
