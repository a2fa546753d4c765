"""Bringing maps of any range to a common one, each photo (and channel) by itself."""

from __future__ import annotations

import torch
from torch import Tensor

PIXELS = (-2, -1)


def mean(maps: Tensor) -> Tensor:
    """The mean of each map: (B, C, H, W) -> (B, C, 1, 1).

    Taken from the map's smallest value upwards, so that the mean of a constant map is that very constant and
    none of its pixels is above it by rounding.
    """
    low = maps.amin(PIXELS, keepdim=True)
    return low + (maps - low).mean(PIXELS, keepdim=True)


def min_max(maps: Tensor) -> Tensor:
    """Each map stretched to [0, 1], a constant map to zeros: (B, C, H, W) -> the same shape."""
    above = maps - maps.amin(PIXELS, keepdim=True)
    return _over(above, above.amax(PIXELS, keepdim=True))


def z_score(maps: Tensor) -> Tensor:
    """Each map less its mean, over its standard deviation, a constant map as zeros: (B, C, H, W), same shape.

    The deviation is the population's, as is NumPy's default.
    """
    centred = maps - mean(maps)
    return _over(centred, torch.std(centred, PIXELS, correction=0, keepdim=True))


def _over(maps: Tensor, size: Tensor) -> Tensor:
    """``maps / size``, and zeros with zero gradient where ``size`` is 0."""
    nothing = size == 0
    return (maps / size.masked_fill(nothing, 1)).masked_fill(nothing, 0)
