"""Pixel deflection: pixels that take the colour of a neighbour, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Deflections:
    """Which pixel takes its colour from which, in the order of the copies.

    Attributes:
        targets, sources: (B, R, N) numbers of pixels, row by row; R is 1 where the channels move together,
            else the number of channels. Copy n comes before copy n + 1, and may read what copy n wrote.
    """

    targets: Tensor
    sources: Tensor


def draw(
    kept: Tensor, count: int, window: int, *, seeds: Sequence[int], rows: int = 1, by_map: bool = True
) -> Deflections:
    """``count`` copies for each photo, (B, ``rows``, ``count``); the same for a photo alone and in a batch.

    A pixel is drawn uniformly and skipped with the probability that the map names; a skipped draw does not
    count. That is a draw from the distribution 1 - map, and is drawn as such. Then an offset is drawn in the
    (2 ``window`` + 1)² square until it leads to a pixel of the photo, which is a uniform draw from the part
    of the square that lies on the photo. A photo whose map is 1 everywhere gets copies of pixels onto
    themselves.

    Args:
        kept: the map, (B, 1, H, W) in [0, 1].
        count: copies per row.
        window: how far a source may lie, px.
        seeds: fix the draws, on the CPU, whatever the device: one for all photos, or one for each.
        rows: 1 for all channels together, or one row per channel.
        by_map: False draws as if the map were 0.
    """
    batch, _, height, width = kept.shape
    which, down, across = _shares(seeds, rows, count).to(kept.device).expand(-1, batch, -1, -1)
    stay = torch.zeros(batch, 1, 1, dtype=torch.bool, device=kept.device)
    if by_map:
        mass = (1 - kept.detach().double()).clamp(0, 1).flatten(1).cumsum(1)
        total = mass[:, -1:]
        wanted = (which.flatten(1) * total).minimum(torch.nextafter(total, torch.zeros_like(total)))
        found = torch.searchsorted(mass, wanted, right=True).clamp(max=height * width - 1)
        targets, stay = found.view(batch, rows, count), (total == 0)[..., None]
    else:
        targets = (which * (height * width)).long().clamp(max=height * width - 1)
    row, column = targets // width, targets % width
    sources = _near(row, down, window, height) * width + _near(column, across, window, width)
    return Deflections(targets, torch.where(stay, targets, sources))


def _shares(seeds: Sequence[int], rows: int, count: int) -> Tensor:
    """Three numbers in [0, 1) for each copy: (3, S, rows, count), of S seeds."""
    drawn = [
        # Count first: more copies begin with the same ones.
        torch.rand(count, rows, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in seeds
    ]
    return torch.stack(drawn).permute(3, 0, 2, 1)


def _near(place: Tensor, share: Tensor, window: int, side: int) -> Tensor:
    """A uniform draw from the places at most ``window`` away and on the photo; ``share`` in [0, 1)."""
    low, high = (place - window).clamp(min=0), (place + window).clamp(max=side - 1)
    return torch.minimum(low + (share * (high - low + 1)).long(), high)


def origins(deflections: Deflections) -> tuple[Tensor, Tensor]:
    """Whose first colour each copy's target has in the end, and whether the copy was the last to its target.

    Both (B, R, N). A copy that reads a pixel written before reads what was written there last, so each copy
    points to the copy that it read from, and pointers are followed to their ends by doubling.
    """
    targets, sources = deflections.targets.contiguous(), deflections.sources.contiguous()
    count = targets.shape[-1]
    if not count:
        return sources, torch.zeros_like(sources, dtype=torch.bool)
    order = torch.arange(count, device=targets.device)
    written = (targets * count + order).sort(-1).values  # by target, then by time
    before = torch.searchsorted(written, sources * count + order) - 1
    candidate = written.gather(-1, before.clamp(min=0))
    read = (before >= 0) & (candidate // count == sources)
    parent = torch.where(read, candidate % count, order)
    for _ in range((count - 1).bit_length()):
        parent = parent.gather(-1, parent)
    last = written.gather(-1, torch.searchsorted(written, (targets + 1) * count) - 1) % count
    return sources.gather(-1, parent.gather(-1, last)), last == order


def deflect(x: Tensor, deflections: Deflections) -> Tensor:
    """The photos after all copies, (B, C, H, W), bit for bit as one by one; differentiable in ``x``."""
    batch, channels = x.shape[:2]
    flat = x.flatten(2)
    origin, last = origins(deflections)
    shape = (batch, channels, origin.shape[-1])
    colours = flat.gather(2, origin.expand(shape))
    # Every copy to a target carries what ends there, but only the last may carry its gradient.
    colours = torch.where(last.expand(shape), colours, colours.detach())
    return flat.scatter(2, deflections.targets.expand(shape), colours).view(x.shape)


def moved(deflections: Deflections, height: int, width: int) -> Tensor:
    """1 where a pixel has the colour of another, (B, 1, H, W); where any channel has, if they move apart."""
    origin, _ = origins(deflections)
    batch = origin.shape[0]
    elsewhere = (origin != deflections.targets).flatten(1)
    empty = torch.zeros(batch, height * width, device=origin.device)
    return empty.scatter_reduce(1, deflections.targets.flatten(1), elsewhere.to(empty), "amax").view(
        batch, 1, height, width
    )
