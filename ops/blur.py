"""Gaussian and median filters, as batched tensor code with a gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_kernel(side: int, sigma: float) -> Tensor:
    """(side,) float64 weights that sum to 1; a single 1 in the middle for ``sigma`` 0."""
    if sigma == 0:
        return (torch.arange(side) == side // 2).double()
    places = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    weights = torch.exp(-0.5 * (places / sigma).square())
    return weights / weights.sum()


def gaussian_blur(x: Tensor, side: int, sigma: float) -> Tensor:
    """(B, C, H, W) smoothed by a ``side`` x ``side`` kernel, one axis after the other.

    The border is mirrored without repeating its own pixel (PyTorch's "reflect"); on a photo smaller than half
    of the kernel the mirror is mirrored again.

    Raises:
        ValueError: an even ``side``.
    """
    if side % 2 == 0:
        raise ValueError(f"the side of a kernel is an odd number of pixels, not {side}")
    weights = gaussian_kernel(side, sigma).to(x)
    for axis in (-2, -1):
        shape = [1, 1, 1, 1]
        shape[axis] = side
        kernel = weights.view(shape).expand(x.shape[1], 1, -1, -1)
        x = F.conv2d(_mirrored(x, side // 2, axis), kernel, groups=x.shape[1])
    return x


def blurred(x: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W) under a Gaussian of standard deviation ``sigma`` px, of any strength; 0 leaves it alone.

    The kernel ends at 4 ``sigma`` and the border is mirrored: equal to ``scipy.ndimage.gaussian_filter`` with
    ``mode="mirror"``.
    """
    return gaussian_blur(x, 2 * int(4 * sigma + 0.5) + 1, sigma)


def median(x: Tensor, side: int) -> Tensor:
    """Each pixel of ``x`` (B, C, H, W) becomes the median of the ``side`` x ``side`` around it.

    The border is mirrored as in ``gaussian_blur``.

    Raises:
        ValueError: an even ``side``.
    """
    if side % 2 == 0:
        raise ValueError(f"the side of a window is an odd number of pixels, not {side}")
    wide = _mirrored(_mirrored(x, side // 2, -2), side // 2, -1)
    return wide.unfold(-2, side, 1).unfold(-2, side, 1).flatten(-2).median(-1).values


def _mirrored(x: Tensor, width: int, axis: int) -> Tensor:
    """``x`` longer by ``width`` at both ends of ``axis``."""
    side = x.shape[axis]
    period = max(1, 2 * side - 2)
    places = torch.arange(-width, side + width, device=x.device) % period
    return x.index_select(axis, torch.minimum(places, period - places) if side > 1 else places)
