"""The colour space of video, ITU-R BT.601 with 8-bit range: brightness, and two differences to it."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_YCBCR = ((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214))
_OFFSET = (16.0, 128.0, 128.0)


def ycbcr_deviations(like: Tensor) -> Tensor:
    """Standard deviation of Y, Cb and Cr where that of red, green and blue is 1 each: (3, 1, 1)."""
    return torch.tensor(_YCBCR, dtype=torch.float64).square().sum(1).sqrt().to(like).view(3, 1, 1)


def to_ycbcr(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] -> Y in 16..235, Cb and Cr in 16..240."""
    return _mixed(rgb, _weights(rgb.dtype, rgb.device)) + _offset(rgb.dtype, rgb.device)


def to_rgb(ycbcr: Tensor) -> Tensor:
    """The inverse of ``to_ycbcr``."""
    dtype, device = ycbcr.dtype, ycbcr.device
    return _mixed(ycbcr - _offset(dtype, device), _weights(dtype, device, inverse=True))


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _offset(dtype: torch.dtype, device: torch.device) -> Tensor:
    """(3, 1, 1)."""
    return torch.tensor(_OFFSET, dtype=dtype, device=device).view(3, 1, 1)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _weights(dtype: torch.dtype, device: torch.device, *, inverse: bool = False) -> Tensor:
    """Of each plane in (first) for each plane out, (3, 3, 1, 1)."""
    matrix = torch.tensor(_YCBCR, dtype=torch.float64)
    return (torch.linalg.inv(matrix) if inverse else matrix).to(device, dtype).T[..., None, None]


def _mixed(planes: Tensor, weights: Tensor) -> Tensor:
    """Each plane of the result a weighted sum of the three, added up in their order with fused steps.

    As the matrix products of NumPy do it: whether a flat area has a coefficient of exactly 0 hangs on the
    last bit.
    """
    first, second, third = planes.split(1, dim=1)
    return torch.addcmul(torch.addcmul(first * weights[0], second, weights[1]), third, weights[2])
