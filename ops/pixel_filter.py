"""A filter of its own for every pixel and channel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def pixel_filtered(x: Tensor, kernels: Tensor) -> Tensor:
    """Each pixel's K x K neighbourhood weighed by that pixel's own kernel, channel by channel.

    (B, C, H, W) and (B, C K², H, W) -> (B, C, H, W). Channel ``(c K + i) K + j`` of ``kernels`` weighs, in
    channel c, the neighbour i - K // 2 rows below and j - K // 2 columns to the right. Beyond the border the
    border's own pixels are repeated.

    The K² shifts are taken one after the other, so that the neighbourhoods never lie in memory side by side,
    neither forwards nor backwards. Its gradient has no gradient of its own.

    Source: Huang et al. 2021, "AdvFilter", equation 7.

    Raises:
        ValueError: ``kernels`` has not C K² channels with an odd K.
    """
    side = _side(x.shape[1], kernels.shape[1])
    return _Shifted.apply(F.pad(x, (side // 2,) * 4, mode="replicate"), kernels)


@torch.no_grad()
def stretched_filtered(x: Tensor, kernels: Tensor) -> tuple[Tensor, Tensor]:
    """As ``pixel_filtered`` by kernels that are stretched to the photo's size, and their largest weights.

    (B, C, H, W) and (B, C K², H / n, W / n) -> (B, C, H, W) and (B, 1, H, W). Stretched bilinearly, a kernel
    lies between those of its four neighbours, the same way for all pixels that have the same place in their
    square of n x n. So these are taken together, and of stretched kernels only one weight for each of them is
    ever in memory. It has no gradient.

    Raises:
        ValueError: n is no whole number, or ``kernels`` has not C K² channels with an odd K.
    """
    channels, (height, width) = x.shape[1], kernels.shape[-2:]
    times = x.shape[-1] // width
    if x.shape[-2:] != (times * height, times * width):
        raise ValueError(f"kernels of {height} x {width} do not stretch to {x.shape[-2]} x {x.shape[-1]}")
    side = _side(channels, kernels.shape[1])
    padded = F.pad(x, (side // 2,) * 4, mode="replicate")
    squares = range(times)
    # Pixels that have the same place in their squares, side by side.
    apart = [[padded[..., row::times, column::times].contiguous() for column in squares] for row in squares]
    result = x.new_zeros(times, times, len(x), channels, height, width)
    largest = x.new_full((times, times, len(x), 1, height, width), -math.inf)
    by_neighbour = kernels.unflatten(1, (channels, side**2))
    between_rows, weights = (torch.empty_like(result[0, 0]) for _ in range(2))
    for neighbour, (row, column) in enumerate(product(range(side), repeat=2)):
        for i in squares:
            _between(by_neighbour[:, :, neighbour], (i + 0.5) / times - 0.5, -2, out=between_rows)
            down, plane_row = divmod(i + row, times)
            for j in squares:
                _between(between_rows, (j + 0.5) / times - 0.5, -1, out=weights)
                right, plane_column = divmod(j + column, times)
                plane = apart[plane_row][plane_column]
                result[i, j].addcmul_(weights, plane[..., down : down + height, right : right + width])
                for channel in range(channels):
                    torch.maximum(largest[i, j], weights[:, channel : channel + 1], out=largest[i, j])
    return _together(result), _together(largest)


def _between(maps: Tensor, place: float, dimension: int, *, out: Tensor) -> None:
    """``maps`` seen ``place`` of a step further along, -1/2 to 1/2; beyond the ends they stay as there."""
    steps = maps.shape[dimension] - 1
    first, last = maps.narrow(dimension, 0, steps), maps.narrow(dimension, 1, steps)
    near, far, end = (first, last, steps) if place >= 0 else (last, first, 0)
    torch.lerp(near, far, abs(place), out=out.narrow(dimension, 0 if place >= 0 else 1, steps))
    out.narrow(dimension, end, 1).copy_(maps.narrow(dimension, end, 1))


def _together(apart: Tensor) -> Tensor:
    """(n, n, B, C, h, w) -> (B, C, n h, n w): the pixels of each square of n x n beside each other again."""
    return apart.permute(2, 3, 4, 0, 5, 1).flatten(2, 3).flatten(3, 4)


def _side(channels: int, weights: int) -> int:
    """K.

    Raises:
        ValueError: ``weights`` is not C K² with an odd K.
    """
    side = math.isqrt(weights // channels)
    if side % 2 == 0 or weights != channels * side**2:
        raise ValueError(f"each of {channels} channels takes K² weights with an odd K, not {weights} in all")
    return side


class _Shifted(torch.autograd.Function):
    """The sum over all shifts of padded photos (B, C, H + K - 1, W + K - 1), each times its weights."""

    @staticmethod
    def forward(context: Any, padded: Tensor, kernels: Tensor) -> Tensor:
        context.save_for_backward(padded, kernels)
        result = torch.zeros_like(padded[..., : kernels.shape[2], : kernels.shape[3]])
        for weights, neighbour in _shifts(kernels, padded):
            result.addcmul_(weights, neighbour)
        return result

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        padded, kernels = context.saved_tensors
        for_padded = torch.zeros_like(padded) if context.needs_input_grad[0] else None
        for_kernels = torch.empty_like(kernels) if context.needs_input_grad[1] else None
        if for_padded is not None:
            for weights, neighbour in _shifts(kernels, for_padded):
                neighbour.addcmul_(weights, gradient)
        if for_kernels is not None:
            for weights, neighbour in _shifts(for_kernels, padded):
                torch.mul(gradient, neighbour, out=weights)
        return for_padded, for_kernels


def _shifts(kernels: Tensor, padded: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """For each of the K² neighbours its weights and itself, both views (B, C, H, W)."""
    height, width = kernels.shape[-2:]
    side = padded.shape[-1] - width + 1
    by_neighbour = kernels.unflatten(1, (padded.shape[1], side**2))
    for row in range(side):
        for column in range(side):
            weights = by_neighbour[:, :, row * side + column]
            yield weights, padded[..., row : row + height, column : column + width]
