"""Wavelet shrinkage by BayesShrink: small coefficients are noise, and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import pywt
import torch
import torch.nn.functional as F
from torch import Tensor

from ops.colour import to_rgb, to_ycbcr, ycbcr_deviations
from ops.scaling import min_max

WAVELETS = ("db1", "db2", "sym4", "haar")
BANDS = ("horizontal", "vertical", "diagonal")
"""The three detail bands of a level, in the order in which they are kept."""


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """Photos before and after shrinkage, and what happened to their coefficients.

    Attributes:
        result: (B, C, H, W).
        before, after: per level, coarsest first, the details (B, C, 3, h, w); ``BANDS`` names the three.
        thresholds: (B, C, levels, 3), in the units of the coefficients.
        rest: (B, C, h, w), what is left above the coarsest level; it is not touched.
    """

    result: Tensor
    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    thresholds: Tensor
    rest: Tensor


def automatic_levels(height: int, width: int, wavelet: str) -> int:
    """Three less than there can be, and at least one, as scikit-image has it."""
    return max(pywt.dwtn_max_level((height, width), wavelet) - 3, 1)


def decompose(x: Tensor, wavelet: str, levels: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What is left (B, C, h, w), and the details (B, C, 3, h, w) of each level, coarsest first.

    Equal to ``pywt.wavedecn`` with the border mirrored, to the last bit where the machine multiplies and adds
    in two steps: the estimate of σ counts the coefficients that are exactly 0, of which 8-bit photos have
    many.
    """
    details = []
    for _ in range(levels):
        # Both halves of the one direction go through the other together.
        low, high = _split(torch.stack(_split(x, wavelet, -2), 2), wavelet, -1)
        x = low[:, :, 0]
        details.append(torch.cat([low[:, :, 1:], high], 2))  # horizontal, vertical, diagonal
    return x, tuple(reversed(details))


def recompose(rest: Tensor, details: tuple[Tensor, ...], wavelet: str) -> Tensor:
    """The inverse of ``decompose``; a side that was odd comes back one longer."""
    for level in details:
        rest = rest[..., : level.shape[-2], : level.shape[-1]]
        lows = torch.stack([rest, level[:, :, 0]], 2)
        low, high = _join(lows, level[:, :, 1:], wavelet, -1).unbind(2)
        rest = _join(low, high, wavelet, -2)
    return rest


def _split(x: Tensor, wavelet: str, axis: int) -> tuple[Tensor, Tensor]:
    """Low and high half of the frequencies along ``axis``: place i has Σ_j f_j x_(2i + 1 - j)."""
    lowpass, highpass = pywt.Wavelet(wavelet).filter_bank[:2]
    side, taps = x.shape[axis], len(lowpass)
    length = (side + taps - 1) // 2
    before, after = taps - 2, 2 * length - side
    if before or after:
        places = torch.arange(-before, side + after, device=x.device) % (2 * side)
        x = x.index_select(axis, torch.minimum(places, 2 * side - 1 - places))
    inner = (side + 1) // 2
    parts = [_every_other(x, taps - 1 - tap, inner, axis) for tap in range(taps)]
    halves = []
    for weights in (lowpass, highpass):
        pieces = [_weighed(parts, weights)]
        for place in range(inner, length):
            # Past the border PyWavelets adds up from the border outwards first.
            past = 2 * place + 1 - side
            order = [*range(past, -1, -1), *range(past + 1, taps)]
            outer = [x.narrow(axis, 2 * place + taps - 1 - tap, 1) for tap in order]
            pieces.append(_weighed(outer, [weights[tap] for tap in order]))
        halves.append(torch.cat(pieces, axis) if len(pieces) > 1 else pieces[0])
    return halves[0], halves[1]


def _join(low: Tensor, high: Tensor, wavelet: str, axis: int) -> Tensor:
    """The inverse of ``_split``; even and odd places each by half of the filters."""
    lowpass, highpass = pywt.Wavelet(wavelet).filter_bank[2:]
    half = len(lowpass) // 2
    length = low.shape[axis] - half + 1
    parts = [part.narrow(axis, half - 1 - tap, length) for part in (low, high) for tap in range(half)]
    phases = [_weighed(parts, [*lowpass[phase::2], *highpass[phase::2]]) for phase in (0, 1)]
    return torch.stack(phases, axis).flatten(axis - 1, axis)


def _every_other(x: Tensor, first: int, count: int, axis: int) -> Tensor:
    stop = first + 2 * count - 1
    return x[..., first:stop:2] if axis == -1 else x[..., first:stop:2, :]


def _weighed(parts: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Σ weight · part, added up from the first to the last."""
    total = weights[0] * parts[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total += weight * part
    return total


def denoise(
    x: Tensor,
    *,
    sigma: float | None,
    wavelet: str = "db1",
    mode: str = "soft",
    levels: int = 0,
    ycbcr: bool = True,
) -> Shrinkage:
    """Photos (B, 3, H, W) in [0, 1] without the coefficients that noise of deviation ``sigma`` would give.

    Equal to ``skimage.restoration.denoise_wavelet(method="BayesShrink")`` on each photo. Not clipped.
    Differentiable, thresholds included.

    Args:
        x: the photos.
        sigma: of the noise, in the range of ``x``; None estimates it for each photo and channel.
        wavelet: one of ``WAVELETS``.
        mode: "soft" draws all coefficients towards 0, "hard" only sets the small ones to 0.
        levels: of the transform; 0 takes ``automatic_levels``.
        ycbcr: shrink brightness and colour differences instead of red, green and blue.

    Source: Chang, Yu and Vetterli 2000, "Adaptive wavelet thresholding"; the estimate of σ: Donoho and
    Johnstone 1994, section 4.2.
    """
    if not ycbcr:
        deviations = None if sigma is None else x.new_full((1, 3, 1, 1), sigma)
        return _shrink(x, deviations, wavelet, mode, levels)
    planes = to_ycbcr(x)
    low, high = planes.amin((2, 3), keepdim=True), planes.amax((2, 3), keepdim=True)
    scale = torch.where(high > low, high - low, 1)
    deviations = None
    if sigma is not None:
        deviations = sigma * ycbcr_deviations(x) / scale
    shrunk = _shrink((planes - low) / scale, deviations, wavelet, mode, levels)
    result = to_rgb(shrunk.result * scale + low)
    return Shrinkage(result, shrunk.before, shrunk.after, shrunk.thresholds, shrunk.rest)


def _shrink(planes: Tensor, sigma: Tensor | None, wavelet: str, mode: str, levels: int) -> Shrinkage:
    """(B, C, H, W) and σ (B or 1, C, 1, 1) in their range, each plane by itself."""
    height, width = planes.shape[-2:]
    levels = levels or automatic_levels(height, width, wavelet)
    rest, before = decompose(planes, wavelet, levels)
    if sigma is None:
        sigma = _estimated(before[-1][:, :, 2])
    variance = sigma.square()[..., None]  # (B or 1, C, 1, 1, 1)
    thresholds, after = [], []
    for level in before:
        tiny = torch.finfo(level.dtype).eps
        power = level.square().mean((-2, -1), keepdim=True)
        threshold = variance / (power - variance).clamp(min=tiny).sqrt()
        if mode == "soft":
            shrunk = level - level.clamp(-threshold, threshold)
        else:
            shrunk = torch.where(level.abs() < threshold, 0, level)
        after.append(shrunk)
        thresholds.append(threshold.expand(*level.shape[:3], 1, 1)[..., 0, 0])
    result = recompose(rest, tuple(after), wavelet)[..., :height, :width]
    return Shrinkage(result, before, tuple(after), torch.stack(thresholds, 2), rest)


def _estimated(finest: Tensor) -> Tensor:
    """σ of each plane, (B, C, 1, 1), from its finest diagonal details; 0 where these are all 0."""
    sizes = finest.abs().flatten(2)
    median = sizes.where(sizes > 0, torch.nan).nanquantile(0.5, dim=2)
    return median.nan_to_num(0)[..., None, None] / NormalDist().inv_cdf(0.75)


def mosaic(
    details: tuple[Tensor, ...], rest: Tensor, scales: tuple[Tensor, ...], size: tuple[int, int]
) -> Tensor:
    """The first channel's coefficients as one picture, (B, 1, H, W) in [0, 1].

    What is left stands top left, the details of each level around it: horizontal below, vertical to the
    right, diagonal across. Each band is shown in magnitude, as a share of its largest in ``scales``.
    """
    height, width = size
    picture = rest.new_zeros(len(rest), 1, height, width)
    corner = (height >> len(details), width >> len(details))
    if min(corner) > 0:
        picture[..., : corner[0], : corner[1]] = _fitted(min_max(rest[:, :1]), corner)
    for depth, (level, scale) in enumerate(zip(details, scales, strict=True)):
        down, across = height >> (len(details) - depth), width >> (len(details) - depth)
        if min(down, across) < 1:
            continue
        largest = scale[:, 0].abs().amax((-2, -1), keepdim=True)
        shares = level[:, 0].abs() / largest.where(largest > 0, 1)
        below = (min(2 * down, height) - down, across)
        right = (down, min(2 * across, width) - across)
        picture[..., down : 2 * down, :across] = _fitted(shares[:, :1], below)
        picture[..., :down, across : 2 * across] = _fitted(shares[:, 1:2], right)
        picture[..., down : 2 * down, across : 2 * across] = _fitted(shares[:, 2:], (below[0], right[1]))
    return picture


def _fitted(band: Tensor, size: tuple[int, int]) -> Tensor:
    """A band in the size of its place, which for most photos it has."""
    return band if band.shape[-2:] == size else F.interpolate(band, size)
