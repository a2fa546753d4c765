"""How like two photos are, and how like what a classifier says of them."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

WINDOW = 7
C1, C2 = 0.01**2, 0.03**2
"""What keeps the similarity of dark or flat windows steady."""


def ssim(x: Tensor, other: Tensor) -> float:
    """Structural similarity of two photos (3, H, W) or (1, 3, H, W) in [0, 1]: 1 for the same photo.

    Equal to ``skimage.metrics.structural_similarity(..., channel_axis=0, data_range=1)``. Where a side is
    under 7 px the window is the largest odd one that fits; under 3 px only the brightness of pixels counts.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".

    Raises:
        ValueError: photos of different shapes.
    """
    return float(ssim_each(x.reshape(-1, *x.shape[-3:]), other.reshape(-1, *other.shape[-3:])))


def ssim_each(x: Tensor, other: Tensor) -> Tensor:
    """(B,) float64 ``ssim`` of photos (B, 3, H, W) in [0, 1], pair by pair, on their device.

    Raises:
        ValueError: photos of different shapes.
    """
    first, second = _doubles(x, other)
    if x is other:
        return first.new_ones(len(first))
    # On the CPU photo by photo, so that its caches hold all maps of one: a fifth of the time.
    together = 1 if first.device.type == "cpu" else len(first)
    pairs = zip(first.split(together), second.split(together), strict=True)
    return torch.cat([_similarity(*pair) for pair in pairs])


def _similarity(first: Tensor, second: Tensor) -> Tensor:
    side = min(WINDOW, *first.shape[2:])
    window = side if side % 2 else side - 1
    pixels = window**2

    def mean(maps: Tensor) -> Tensor:  # over every window that lies inside, first down, then across
        return _run_sums(_run_sums(maps, window, -2), window, -1) / pixels

    sample = pixels / max(pixels - 1, 1)
    means = mean(first), mean(second)
    variances = [
        sample * (mean(maps * maps) - mu * mu) for maps, mu in zip((first, second), means, strict=True)
    ]
    covariance = sample * (mean(first * second) - means[0] * means[1])
    brightness = (2 * means[0] * means[1] + C1) / (means[0] ** 2 + means[1] ** 2 + C1)
    return (brightness * (2 * covariance + C2) / (variances[0] + variances[1] + C2)).mean((1, 2, 3))


def _run_sums(maps: Tensor, length: int, axis: int) -> Tensor:
    """The sum of every ``length`` neighbours along ``axis``, from sums of 1, 2, 4, ... of them."""
    places = maps.shape[axis] - length + 1
    parts, taken, run = [], 0, 1
    while True:
        if length & run:
            parts.append(maps.narrow(axis, taken, places))
            taken += run
        if taken == length:
            return reduce(torch.add, parts)
        fewer = maps.shape[axis] - run
        maps = maps.narrow(axis, 0, fewer) + maps.narrow(axis, run, fewer)
        run *= 2


def psnr_each(x: Tensor, other: Tensor) -> Tensor:
    """(B,) float64 ``psnr`` of photos (B, 3, H, W) in [0, 1], pair by pair, on their device.

    Raises:
        ValueError: photos of different shapes.
    """
    first, second = _doubles(x, other)
    return -10 * (first - second).square().mean((1, 2, 3)).log10()


def iou(places: Tensor, mask: Tensor) -> Tensor:
    """(B,) intersection over union of maps (B, 1, H, W), where they are over 0; 0 where both are empty."""
    both = ((places > 0) & (mask > 0)).sum((1, 2, 3))
    either = ((places > 0) | (mask > 0)).sum((1, 2, 3))
    return both.double().cpu() / either.cpu().clamp(min=1)


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
    similarity: Any = structural_similarity(
        first,
        second,
        channel_axis=0,
        data_range=1,
        win_size=window,
        use_sample_covariance=window > 1,
        full=True,
    )
    differs = 1 - similarity[1].mean(0)
    return torch.from_numpy(differs).clamp(0, 1).to(x)[None, None]


def psnr(x: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of two photos (3, H, W) or (1, 3, H, W) in [0, 1], in dB.

    Infinite for the same photo.

    Equal to ``skimage.metrics.peak_signal_noise_ratio(..., data_range=1)``.

    Raises:
        ValueError: photos of different shapes.
    """
    return psnr_each(x.reshape(-1, *x.shape[-3:]), other.reshape(-1, *other.shape[-3:])).item()


def _doubles(x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float64, on the CPU where the device has no such numbers."""
    if x.shape != other.shape:
        raise ValueError(f"photos of one shape are compared, not {tuple(x.shape)} with {tuple(other.shape)}")
    if x.device.type == "mps":
        x, other = x.cpu(), other.cpu()
    return x.detach().double(), other.detach().to(x.device).double()


def _pixels(x: Tensor, other: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as (3, H, W) float64."""
    if x.shape != other.shape:
        raise ValueError(f"photos of one shape are compared, not {tuple(x.shape)} with {tuple(other.shape)}")
    first, second = (photo.detach().cpu().double().numpy() for photo in (x, other))
    return first.reshape(first.shape[-3:]), second.reshape(second.shape[-3:])


def ndcg(clean: Tensor, other: Tensor, threshold: float = 0.9) -> Tensor:
    """How much of the clean photo's ranking of labels is left in another photo's: (B,) float64, in [0, 1].

    Normalised discounted cumulative gain. The likeliest labels of the clean photo that together have at
    least ``threshold`` of its probability count 2^p - 1 each, all others 0; a label at place i = 1, 2, ... of
    the other photo's ranking counts with 1 / log2(i + 1); 1 is what the clean ranking itself has. Labels that
    are equally likely keep the classifier's order.

    Args:
        clean: probabilities on the clean photos, (B, labels), or (1, labels) for all of ``other``.
        other: on the photos that are compared with them, (B, labels).
        threshold: over 0, at most 1.

    Source: the abstract of Heat and Blur (Brama and Grinshpoun 2020) proposes the measure; the gain 2^p - 1
    and the threshold are read so here.

    Raises:
        ValueError: shapes that don't fit, or a threshold outside its range.
    """
    tables = clean.ndim == other.ndim == 2
    if not tables or clean.shape[1] != other.shape[1] or len(clean) not in (1, len(other)):
        raise ValueError(
            "rankings are compared by probabilities (B, labels) each, not "
            f"{tuple(clean.shape)} with {tuple(other.shape)}"
        )
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be over 0 and at most 1; {threshold:g} is not")
    clean, other = clean.detach().double().expand(len(other), -1), other.detach().double()
    likeliest, labels = clean.sort(dim=1, descending=True, stable=True)
    before = likeliest.cumsum(1) - likeliest  # probability of all that are likelier
    gains = (2**likeliest - 1) * (before < threshold)
    places = torch.arange(1, clean.shape[1] + 1, device=clean.device)
    discounts = 1 / (places + 1).double().log2()
    of_label = torch.zeros_like(gains).scatter(1, labels, gains)
    ranking = other.argsort(dim=1, descending=True, stable=True)
    return (of_label.gather(1, ranking) * discounts).sum(1) / (gains * discounts).sum(1)
