"""Erosion and dilation of binary masks by the full 3x3 square.

What lies beyond the border plays no part, as in scikit-image's ``mode="ignore"``, the default of its
``binary_erosion`` and ``binary_dilation``. Neither has a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


def dilate(masks: Tensor, times: int = 1) -> Tensor:
    """1 where any of nine pixels is 1, ``times`` over: (B, C, H, W) of 0 and 1 -> the same shape."""
    return _highest(_highest(masks.detach(), times, -2), times, -1)


def _highest(masks: Tensor, reach: int, axis: int) -> Tensor:
    """The highest of each pixel and those at most ``reach`` before and behind it along ``axis``.

    What reaches half as far is looked at in the middle and at both ends of the other half.
    """
    reach = min(reach, masks.shape[axis] - 1)
    if reach < 1:
        return masks
    far = reach - reach // 2
    near = _highest(masks, reach // 2, axis)
    kept = near.shape[axis] - far
    highest = near.clone()
    for here, there in ((far, 0), (0, far)):
        part = highest.narrow(axis, here, kept)
        torch.maximum(part, near.narrow(axis, there, kept), out=part)
    return highest


def erode(masks: Tensor, times: int = 1) -> Tensor:
    """1 where all nine pixels are 1, ``times`` over: (B, C, H, W) of 0 and 1 -> the same shape."""
    return -dilate(-masks, times)
