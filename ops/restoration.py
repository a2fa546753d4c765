"""Restoration by scikit-image, photo by photo on the CPU: denoising, inpainting; backwards the identity."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import restoration
from torch import Tensor

from ops.straight_through import straight_through

SMALLEST = 16
"""A side shorter than this is mirrored up to it, in px."""
Picture = NDArray[np.float64]
"""(H, W, 3) in [0, 1]."""


def each_photo(x: Tensor, function: Callable[[Picture], Picture]) -> Tensor:
    """``function`` of every photo of ``x`` (B, 3, H, W); straight-through."""
    height, width = x.shape[-2:]
    results = np.stack([function(picture)[:height, :width] for picture in _pictures(x)])
    return straight_through(torch.from_numpy(results).permute(0, 3, 1, 2).to(x), x)


def _pictures(x: Tensor) -> NDArray[np.float64]:
    """(B, C, H, W) as (B, H, W, C), mirrored up to ``SMALLEST`` below and to the right.

    Some functions need a neighbourhood, or take a side of one pixel for a missing axis.
    """
    height, width = x.shape[-2:]
    missing = ((0, 0), (0, max(0, SMALLEST - height)), (0, max(0, SMALLEST - width)), (0, 0))
    return np.pad(x.detach().cpu().double().permute(0, 2, 3, 1).numpy(), missing, mode="symmetric")


def total_variation(x: Tensor, weight: float) -> Tensor:
    """Total-variation minimisation (Chambolle 2004): flatter areas, sharp edges."""
    return each_photo(x, partial(restoration.denoise_tv_chambolle, weight=weight, channel_axis=-1))


def bilateral(x: Tensor, sigma_color: float, sigma_spatial: float) -> Tensor:
    """Bilateral filter (Tomasi and Manduchi 1998): a mean over near pixels of near colour."""
    smooth: Any = partial(
        restoration.denoise_bilateral, sigma_color=sigma_color, sigma_spatial=sigma_spatial, channel_axis=-1
    )
    return each_photo(x, lambda picture: smooth(picture.clip(0, 1)))


def non_local_means(x: Tensor, sigma: float) -> Tensor:
    """Non-local means (Buades et al. 2005): a mean over patches that look alike, for noise of ``sigma``."""
    smooth: Any = partial(
        restoration.denoise_nl_means,
        h=0.8 * sigma,
        sigma=sigma,
        patch_size=5,
        patch_distance=6,
        fast_mode=True,
        channel_axis=-1,
    )
    return each_photo(x, smooth)


def wiener(x: Tensor, balance: float) -> Tensor:
    """Wiener-Hunt filter without a blur to undo: ``balance`` weighs smoothness against fidelity."""
    undisturbed = np.ones((1, 1))

    def smooth(picture: Picture) -> Picture:
        channels = [
            restoration.wiener(channel, undisturbed, balance, clip=False)
            for channel in picture.transpose(2, 0, 1)
        ]
        return np.stack(channels, -1)

    return each_photo(x, smooth)


def inpainted(x: Tensor, hole: Tensor) -> Tensor:
    """Photos ``x`` (B, 3, H, W), painted smoothly from the border where ``hole`` (B, 1, H, W) is not 0.

    By biharmonic equations (Damelin and Hoang 2018). A photo that is all hole becomes grey. Backwards the
    identity outside the hole, and nothing inside.
    """
    height, width = x.shape[-2:]
    masks = _pictures(hole)[..., 0] > 0
    pairs = zip(_pictures(x), masks, strict=True)
    filled = np.stack([_filled(*pair)[:height, :width] for pair in pairs])
    painted = torch.from_numpy(filled).permute(0, 3, 1, 2).to(x).clamp(0, 1)
    return torch.where(hole > 0, painted, x)


def _filled(picture: Picture, mask: NDArray[np.bool_]) -> Picture:
    if mask.all():
        return np.full_like(picture, 0.5)
    if not mask.any():
        return picture
    return restoration.inpaint_biharmonic(picture, mask, channel_axis=-1)
