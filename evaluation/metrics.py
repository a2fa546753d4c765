"""How like two photos are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

WINDOW = 7


def ssim(x: Tensor, other: Tensor) -> float:
    """Structural similarity of two photos (3, H, W) or (1, 3, H, W) in [0, 1]: 1 for the same photo.

    Equal to ``skimage.metrics.structural_similarity(..., channel_axis=0, data_range=1)``. Where a side is
    under 7 px the window is the largest odd one that fits; under 3 px only the brightness of pixels counts.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".

    Raises:
        ValueError: photos of different shapes.
    """
    first, second = _pixels(x, other)
    side = min(WINDOW, *first.shape[1:])
    window = side if side % 2 else side - 1
    similarity: Any = structural_similarity(
        first, second, channel_axis=0, data_range=1, win_size=window, use_sample_covariance=window > 1
    )
    return float(similarity)


def structural_difference(x: Tensor, other: Tensor) -> Tensor:
    """Where two photos (1, 3, H, W) in [0, 1] differ in structure, (1, 1, H, W) in [0, 1].

    1 less the local structural similarity, the mean over the channels; 0 where the photos are the same.

    Source: You-Wei and Sheng-De 2022, figure 6.

    Raises:
        ValueError: photos of different shapes.
    """
    first, second = _pixels(x, other)
    side = min(WINDOW, *first.shape[1:])
    window = side if side % 2 else side - 1
    found: Any = structural_similarity(
        first,
        second,
        channel_axis=0,
        data_range=1,
        win_size=window,
        use_sample_covariance=window > 1,
        full=True,
    )
    differs = 1 - found[1].mean(0)
    return torch.from_numpy(differs).clamp(0, 1).to(x)[None, None]


def psnr(x: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of two photos (3, H, W) or (1, 3, H, W) in [0, 1], in dB.

    Infinite for the same photo.

    Equal to ``skimage.metrics.peak_signal_noise_ratio(..., data_range=1)``.

    Raises:
        ValueError: photos of different shapes.
    """
    first, second = _pixels(x, other)
    error = np.mean((first - second) ** 2)
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def _pixels(x: Tensor, other: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as (3, H, W) float64."""
    if x.shape != other.shape:
        raise ValueError(f"photos of one shape are compared, not {tuple(x.shape)} with {tuple(other.shape)}")
    first, second = (photo.detach().cpu().double().numpy() for photo in (x, other))
    return first.reshape(first.shape[-3:]), second.reshape(second.shape[-3:])
