"""Square windows that overlap and together cover every pixel, the last ones flush with the border."""

from __future__ import annotations

import torch
from torch import Tensor


def kept_pixels(maps: Tensor, block: int, overlap: int, threshold: float) -> Tensor:
    """1 for a pixel in any window whose mean is over ``threshold``, else 0: (B, C, H, W) -> the same shape.

    Windows are ``block`` px wide and high and start every ``block - overlap`` px; the last row and column of
    windows sit flush with the border. A side shorter than ``block`` has one window, as long as the side. Each
    channel is judged by itself. The result is constant in ``maps`` almost everywhere, so it has no gradient.
    """
    with torch.no_grad():
        # A matrix for each side says which pixel lies in which window: with these two, summing over all
        # windows is two matrix products, and spreading the verdicts back over the pixels two more.
        rows = _membership(maps, maps.shape[-2], block, block - overlap)  # (H, windows down)
        columns = _membership(maps, maps.shape[-1], block, block - overlap)  # (W, windows across)
        means = rows.T @ maps @ columns / (rows.sum(0)[:, None] * columns.sum(0))
        kept = (means > threshold).to(maps)
        return (rows @ kept @ columns.T > 0).to(maps)


def _membership(like: Tensor, side: int, block: int, stride: int) -> Tensor:
    """(side, windows): 1 where the pixel of that row lies in the window of that column."""
    last = max(side - block, 0)
    starts = torch.tensor([*range(0, last, stride), last], device=like.device)
    pixels = torch.arange(side, device=like.device)[:, None]
    return ((pixels >= starts) & (pixels < starts + block)).to(like)
