"""Square windows that overlap and together cover every pixel, the last ones flush with the border."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


def kept_pixels(maps: Tensor, block: int, overlap: int, threshold: float) -> Tensor:
    """1 for a pixel in any window whose mean is over ``threshold``, else 0: (B, C, H, W) -> the same shape.

    Windows are ``block`` px wide and high and start every ``block - overlap`` px; the last row and column of
    windows sit flush with the border. A side shorter than ``block`` has one window, as long as the side. Each
    channel is judged by itself. The result is constant in ``maps`` almost everywhere, so it has no gradient.
    """
    with torch.no_grad():
        rows, columns = _memberships(maps, block, overlap)
        kept = (window_means(maps, block, overlap) > threshold).to(maps)
        return (rows @ kept @ columns.T > 0).to(maps)


def window_means(maps: Tensor, block: int, overlap: int) -> Tensor:
    """The mean of every window of ``kept_pixels``: (B, C, H, W) -> (B, C, windows down, windows across)."""
    rows, columns = _memberships(maps, block, overlap)
    return rows.T @ maps @ columns / (rows.sum(0)[:, None] * columns.sum(0))


def _memberships(maps: Tensor, block: int, overlap: int) -> tuple[Tensor, Tensor]:
    """A matrix for each side, (H, windows down) and (W, windows across), 1 where a pixel lies in a window.

    With these two, summing over all windows is two matrix products, and spreading verdicts back over the
    pixels two more.
    """
    height, width = maps.shape[-2:]
    rows, columns = (
        _membership(side, block, block - overlap, maps.device, maps.dtype) for side in (height, width)
    )
    return rows, columns


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _membership(side: int, block: int, stride: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(side, windows): 1 where the pixel of that row lies in the window of that column."""
    last = max(side - block, 0)
    starts = torch.tensor([*range(0, last, stride), last], device=device)
    pixels = torch.arange(side, device=device)[:, None]
    return ((pixels >= starts) & (pixels < starts + block)).to(dtype)
