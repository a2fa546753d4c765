"""How steeply a photo changes from pixel to pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def luma(x: Tensor) -> Tensor:
    """The brightness of each pixel, 0.299 R + 0.587 G + 0.114 B: (B, 3, H, W) -> (B, 1, H, W).

    Source: ITU-R BT.601.
    """
    red, green, blue = x.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def forward_difference(x: Tensor) -> tuple[Tensor, Tensor]:
    """Each pixel's right and lower neighbour less itself: (B, C, H, W) -> dx, dy of the same shape.

    The last column has no right neighbour and the last row no lower one: the difference there is 0.
    """
    return torch.diff(x, dim=-1, append=x[..., -1:]), torch.diff(x, dim=-2, append=x[..., -1:, :])


def sobel(x: Tensor) -> tuple[Tensor, Tensor]:
    """The slope per pixel by Sobel's 3x3 kernels: (B, C, H, W) -> dx, dy of the same shape.

    Beyond the border the border's own pixels are repeated.
    """
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 2:] - padded[..., :-2]
    down = padded[..., 2:, :] - padded[..., :-2, :]
    dx = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    dy = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return dx / 8, dy / 8


OPERATORS = {"forward": forward_difference, "sobel": sobel}


def magnitude(dx: Tensor, dy: Tensor) -> Tensor:
    """sqrt(dx² + dy²), of their shape; where both are 0 its gradient is 0 too, not NaN."""
    squared = dx * dx + dy * dy
    flat = squared == 0
    return squared.masked_fill(flat, 1).sqrt().masked_fill(flat, 0)
