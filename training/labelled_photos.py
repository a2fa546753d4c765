"""A folder of photos by label, held in memory as small decoded pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from ops.coding import to_bytes
from photos.folder import list_folder, open_photo


def list_photos(folder: Path) -> tuple[list[Path], list[str], list[str]]:
    """Files, the label of each, and all labels sorted, of ``folder/<label>/*.jpg``.

    Raises:
        PhotoError: the folder holds no photo.
    """
    files, names = zip(*list_folder(folder), strict=True)
    return list(files), list(names), sorted(set(names))


def decode_all(files: list[Path]) -> list[Tensor]:
    """All photos as (3, H, W) uint8, in the order of ``files``."""

    def decode(file: Path) -> Tensor:
        return torch.tensor(open_photo(file).pixels).permute(2, 0, 1)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(decode, files))


def centre_crops(files: list[Path], side: int) -> Tensor:
    """(N, 3, side, side) uint8, as the app's doors crop them."""

    def crop(file: Path) -> Tensor:
        return to_bytes(open_photo(file).working(side)[0])

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(crop, files)))
