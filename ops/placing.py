"""A square patch laid on photos at any place, size and angle, differentiable in all of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def placed(
    x: Tensor, patch: Tensor, centres: Tensor, sides: Tensor, degrees: Tensor
) -> tuple[Tensor, Tensor]:
    """Photos with the patch, and its coverage m of each pixel: x' = (1 - m) ⊙ x + m ⊙ sampled patch.

    The patch is sampled bilinearly, without antialias: resize one that is much larger than ``sides`` first.
    m falls from 1 to 0 over one pixel along the edges, so that a patch between two pixels covers both in
    part; upright and on whole pixels it covers just these, and is copied but for rounding. What lies beyond
    the border of the photo is cut off.

    Args:
        x: (B, 3, H, W) in [0, 1].
        patch: (3, S, S) or (B, 3, S, S) in [0, 1].
        centres: (B, 2), rows and columns in px from the upper left corner of the photo.
        sides: (B,) in px.
        degrees: (B,) counter-clockwise.

    Returns:
        (B, 3, H, W) in [0, 1], and m (B, 1, H, W) in [0, 1].
    """
    height, width = x.shape[-2:]
    down = torch.arange(height, device=x.device, dtype=x.dtype)[:, None] + 0.5 - centres[:, :1, None]
    across = torch.arange(width, device=x.device, dtype=x.dtype) + 0.5 - centres[:, 1:, None]
    angles = torch.deg2rad(degrees)[:, None, None]
    # Where each pixel lies on the patch, in px from its middle: (B, H, W) each.
    right = across * angles.cos() - down * angles.sin()
    below = across * angles.sin() + down * angles.cos()
    sides = sides[:, None, None]
    covered = _inside(right, sides) * _inside(below, sides)
    grid = torch.stack([right, below], dim=-1) * 2 / sides[..., None]
    patches = patch.expand(len(x), *patch.shape[-3:])
    sampled = F.grid_sample(patches, grid, mode="bilinear", padding_mode="border", align_corners=False)
    covered = covered[:, None]
    return x * (1 - covered) + sampled * covered, covered


def _inside(distance: Tensor, sides: Tensor) -> Tensor:
    """1 inside, 0 from half a pixel outside the edge on."""
    return (sides / 2 - distance.abs() + 0.5).clamp(0, 1)
