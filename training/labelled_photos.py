"""Photos of a source, held in memory as small decoded pictures."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from ops.coding import to_bytes
from photos import Source


def labels_of(source: Source) -> tuple[str, ...]:
    """All labels of a source, in the order that ``source.labels`` counts them in."""
    return tuple(words[0] for words in source.classes)


def decode_all(source: Source, numbers: Iterable[int] | None = None) -> list[Tensor]:
    """The photos of these numbers, by default all, each as (3, H, W) uint8."""

    def decode(number: int) -> Tensor:
        return torch.tensor(source.read(number).pixels).permute(2, 0, 1)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(decode, range(len(source)) if numbers is None else numbers))


def centre_crops(
    source: Source, side: int, crop_share: float, numbers: Iterable[int] | None = None
) -> Tensor:
    """The photos of these numbers, by default all, (N, 3, side, side) uint8, as the app's doors crop them."""

    def crop(number: int) -> Tensor:
        return to_bytes(source.read(number).working(side, crop_share)[0])

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(crop, range(len(source)) if numbers is None else numbers)))
