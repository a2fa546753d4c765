"""A patch from a visitor's file, safely: a picture, or an NPZ file of numbers."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from photos.read import MAX_BYTES, PhotoError, read_photo, shown_name

LARGEST_SIDE = 512
"""In px; a larger patch is made smaller, since no photo gets one of that size."""
_MOST_NUMBERS = 100_000_000
"""Bytes that an NPZ file may unpack to."""
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, eq=False)
class PatchFile:
    """What a file says of a patch.

    Attributes:
        name: the file's, without folders and ending.
        pixels: (3, S, S) float32 in [0, 1].
        share: of the photo's area; None where the file does not say.
        target: label that it is for; None where the file does not say.
    """

    name: str
    pixels: Tensor
    share: float | None = None
    target: str | None = None


def read_patch_file(data: bytes, name: str) -> PatchFile:
    """The patch in a file's bytes: a square picture, or an NPZ file with the array ``patch``.

    Which it is, the content tells. ``patch`` is (3, S, S) or (S, S, 3), floats from 0 to 1 or whole numbers
    from 0 to 255; beside it may lie ``share``, a number from 0 to 1, and ``target``, a word.

    Raises:
        PhotoError: as ``read_photo``; no square; or an NPZ file without such an array.
    """
    if len(data) > MAX_BYTES or not data.startswith(_ZIP):
        photo = read_photo(data, name)
        _check_square(photo.height, photo.width, photo.name)
        pixels = torch.from_numpy(_at_most(photo.pixels, LARGEST_SIDE)).permute(2, 0, 1).float() / 255
        return PatchFile(_stem(photo.name), pixels)
    name = shown_name(name)
    arrays = _arrays(data, name)
    if "patch" not in arrays:
        raise PhotoError(f"{name} holds no array called patch")
    share, target = arrays.get("share"), arrays.get("target")
    return PatchFile(
        _stem(name),
        _pixels(arrays["patch"], name),
        None if share is None else _share(share, name),
        None if target is None or target.ndim or target.dtype.kind != "U" else str(target),
    )


def _stem(name: str) -> str:
    return name.rsplit(".", 1)[0] or name


def _check_square(height: int, width: int, name: str) -> None:
    if height != width:
        raise PhotoError(f"{name} has {width} x {height} pixels; a patch is a square, so cut it to one first")


def _at_most(pixels: np.ndarray, side: int) -> np.ndarray:
    """(S, S, 3) uint8 with a side of at most ``side`` px."""
    if len(pixels) <= side:
        return pixels.copy()
    return np.array(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def _arrays(data: bytes, name: str) -> dict[str, np.ndarray]:
    """The arrays that are known here; none is unpacked before its size is checked."""
    wanted = ("patch", "share", "target")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_NUMBERS:
                raise PhotoError(f"{name} unpacks to more than {_MOST_NUMBERS / 1e6:.0f} MB")
        with np.load(BytesIO(data), allow_pickle=False) as file:
            return {key: file[key] for key in wanted if key in file.files}
    except PhotoError:
        raise
    except Exception:  # a hostile file can make a decoder raise anything
        raise PhotoError(f"{name} is no NPZ file of plain numbers, or it is damaged") from None


def _pixels(patch: np.ndarray, name: str) -> Tensor:
    if patch.ndim == 3 and patch.shape[0] != 3 and patch.shape[2] == 3:
        patch = patch.transpose(2, 0, 1)
    if patch.ndim != 3 or patch.shape[0] != 3 or 0 in patch.shape:
        raise PhotoError(f"patch in {name} has the shape {patch.shape}, not (3, side, side)")
    _check_square(patch.shape[1], patch.shape[2], name)
    if patch.shape[1] > LARGEST_SIDE:
        raise PhotoError(f"{name} has a side of {patch.shape[1]} px; at most {LARGEST_SIDE} can be read")
    if patch.dtype.kind in "iu":
        patch = patch / 255
    elif patch.dtype.kind != "f":
        raise PhotoError(f"patch in {name} holds no numbers")
    if not (np.isfinite(patch).all() and patch.min() >= 0 and patch.max() <= 1):
        raise PhotoError(f"patch in {name} must be from 0 to 1, or whole numbers from 0 to 255")
    return torch.from_numpy(np.ascontiguousarray(patch, dtype=np.float32))


def _share(share: np.ndarray, name: str) -> float:
    if share.ndim or share.dtype.kind not in "iuf" or not 0 < share <= 1:
        raise PhotoError(f"share in {name} is a number over 0 and at most 1")
    return float(share)
