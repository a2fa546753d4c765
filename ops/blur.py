"""Gaussian and median filters, as batched tensor code with a gradient."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_SHORT = 21
"""Up to this side a kernel is added up pixel by pixel, beyond it two matrix products take less time."""


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
    if side <= _SHORT:
        weights = gaussian_kernel(side, sigma).tolist()
        return _weighed(_weighed(x, weights, -2), weights, -1)
    down, across = (_mixing(length, side, sigma, x.device, x.dtype) for length in x.shape[-2:])
    return down @ x @ across.T


def _weighed(x: Tensor, weights: list[float], axis: int) -> Tensor:
    """Each pixel the weighted sum of those around it along ``axis``, from the first to the last."""
    wide, length = _mirrored(x, len(weights) // 2, axis), x.shape[axis]
    total = wide.narrow(axis, 0, length) * weights[0]
    for place, weight in enumerate(weights[1:], 1):
        total = total.add_(wide.narrow(axis, place, length), alpha=weight)
    return total


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _mixing(length: int, side: int, sigma: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(length, length): how much of each pixel of a line goes into each, mirrored border included."""
    weights = gaussian_kernel(side, sigma)
    places = _places(length, side // 2, torch.device("cpu")).unfold(0, side, 1)
    mixing = weights.new_zeros(length, length).scatter_add(1, places, weights.expand(length, -1))
    return mixing.to(device, dtype)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W) under a Gaussian of standard deviation ``sigma`` px, of any strength; 0 leaves it alone.

    The kernel ends at 4 ``sigma`` and the border is mirrored: equal to ``scipy.ndimage.gaussian_filter`` with
    ``mode="mirror"``.
    """
    return gaussian_blur(x, 2 * int(4 * sigma + 0.5) + 1, sigma)


def median(x: Tensor, side: int) -> Tensor:
    """Each pixel of ``x`` (B, C, H, W) becomes the median of the ``side`` x ``side`` around it.

    The border is mirrored as in ``gaussian_blur``. The gradient goes to the pixel that is the median; where
    several are, which in a photo of 8 bits is common, to one of them, and a difference quotient, which sees
    all of them, is another number.

    Raises:
        ValueError: an even ``side``.
    """
    if side % 2 == 0:
        raise ValueError(f"the side of a window is an odd number of pixels, not {side}")
    wide = _mirrored(_mirrored(x, side // 2, -2), side // 2, -1)
    if side == 3 and not (x.requires_grad and torch.is_grad_enabled()):
        return _median_of_nine(wide)
    return wide.unfold(-2, side, 1).unfold(-2, side, 1).flatten(-2).median(-1).values


def _median_of_nine(wide: Tensor) -> Tensor:
    """The median of each 3 x 3 pixels of ``wide``, without sorting them one by one.

    Of each three below each other the lowest, the middle and the highest; of three such columns the highest
    of the lowest, the middle of the middle and the lowest of the highest; the middle of these is that of all.
    """
    low, middle, high = _sorted(*_threes(wide, -2))
    lowest, highest = _threes(low, -1), _threes(high, -1)
    return _middle(
        torch.maximum(torch.maximum(lowest[0], lowest[1]), lowest[2]),
        _middle(*_threes(middle, -1)),
        torch.minimum(torch.minimum(highest[0], highest[1]), highest[2]),
    )


def _threes(x: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Each three neighbours along ``axis``, as three tensors that are two shorter."""
    first, second, third = (x.narrow(axis, place, x.shape[axis] - 2) for place in range(3))
    return first, second, third


def _sorted(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return torch.minimum(low, c), torch.maximum(low, torch.minimum(high, c)), torch.maximum(high, c)


def _middle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))


def _mirrored(x: Tensor, width: int, axis: int) -> Tensor:
    """``x`` longer by ``width`` at both ends of ``axis``."""
    return x.index_select(axis, _places(x.shape[axis], width, x.device))


def _places(length: int, width: int, device: torch.device) -> Tensor:
    """(length + 2 width,) which pixel of a line stands at each place of it and of its mirror images."""
    period = max(1, 2 * length - 2)
    places = torch.arange(-width, length + width, device=device) % period
    return torch.minimum(places, period - places) if length > 1 else places
