"""A filter of its own for every pixel and channel."""

from __future__ import annotations

import math
from collections.abc import Iterator
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
    channels, weights = x.shape[1], kernels.shape[1]
    side = math.isqrt(weights // channels)
    if side % 2 == 0 or weights != channels * side**2:
        raise ValueError(f"each of {channels} channels takes K² weights with an odd K, not {weights} in all")
    return _Shifted.apply(F.pad(x, (side // 2,) * 4, mode="replicate"), kernels)


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
