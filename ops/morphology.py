"""Erosion and dilation of binary masks by the full 3x3 square.

What lies beyond the border plays no part, as in scikit-image's ``mode="ignore"``, the default of its
``binary_erosion`` and ``binary_dilation``.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def dilate(masks: Tensor, times: int = 1) -> Tensor:
    """1 where any of nine pixels is 1, ``times`` over: (B, C, H, W) of 0 and 1 -> the same shape."""
    for _ in range(times):
        masks = F.max_pool2d(masks, kernel_size=3, stride=1, padding=1)
    return masks


def erode(masks: Tensor, times: int = 1) -> Tensor:
    """1 where all nine pixels are 1, ``times`` over: (B, C, H, W) of 0 and 1 -> the same shape."""
    return -dilate(-masks, times)
