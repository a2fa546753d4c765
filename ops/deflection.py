"""Pixel deflection: pixels that take the colour of a neighbour, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

MOST_SPARED = 15 / 16
"""Mean of a map from which on single draws would be skipped too often."""


@dataclass(frozen=True, eq=False)
class Deflections:
    """Which pixel takes its colour from which, in the order of the copies.

    Attributes:
        targets, sources: (B, R, N) numbers of pixels, row by row; R is 1 where the channels move together,
            else the number of channels. Copy n comes before copy n + 1, and may read what copy n wrote.
    """

    targets: Tensor
    sources: Tensor

    @cached_property
    def end(self) -> Outcome:
        """What they all come to."""
        return outcome(self)


def draw(
    kept: Tensor, count: int, window: int, *, seeds: Sequence[int], rows: int = 1, by_map: bool = True
) -> Deflections:
    """``count`` copies for each photo, (B, ``rows``, ``count``); the same for a photo alone and in a batch.

    A pixel is drawn uniformly and skipped with the probability that the map names; a skipped draw does not
    count. Then an offset is drawn in the (2 ``window`` + 1)² square until it leads to a pixel of the photo,
    which is a uniform draw from the part of the square that lies on the photo. Where the map spares nearly
    everything, pixels are drawn from the distribution 1 - map at once, which is the same. A photo whose map
    is 1 everywhere gets copies of pixels onto themselves.

    Args:
        kept: the map, (B, 1, H, W) in [0, 1].
        count: copies per row.
        window: how far a source may lie, px.
        seeds: fix the draws, on the CPU, whatever the device: one for all photos, or one for each.
        rows: 1 for all channels together, or one row per channel.
        by_map: False draws as if the map were 0.
    """
    batch, _, height, width = kept.shape
    area = height * width
    tries = 2 * count + 1 if by_map else count
    spared = kept.detach().flatten(1)[:, None].expand(-1, rows, -1)
    crowded = spared.mean(2, keepdim=True) > MOST_SPARED
    while True:
        which, luck, down, across = _shares(seeds, rows, tries).to(kept.device).expand(-1, batch, -1, -1)
        targets = (which * area).long().clamp_(max=area - 1)
        if not by_map:
            return _copies(targets, down, across, window, height, width)
        passed = (luck >= spared.gather(2, targets)) | crowded
        number = passed.cumsum(2)
        if bool((number[..., -1] >= count).all()):
            break
        tries *= 2
    slots = torch.where(passed, number - 1, count).clamp_(max=count)
    tried = torch.arange(tries, device=kept.device).expand_as(slots)
    first = tried.new_zeros(batch, rows, count + 1).scatter_(2, slots, tried)[..., :count]
    targets, down, across = (values.gather(2, first) for values in (targets, down, across))
    if not bool(crowded.any()):
        return _copies(targets, down, across, window, height, width)
    mass = (1 - spared).clamp(0, 1).cumsum(2, dtype=torch.float64)
    total = mass[..., -1:]
    wanted = (which[..., :count] * total).minimum(torch.nextafter(total, torch.zeros_like(total)))
    at_once = torch.searchsorted(mass, wanted, right=True).clamp(max=area - 1)
    copies = _copies(torch.where(crowded, at_once, targets), down, across, window, height, width)
    return Deflections(copies.targets, torch.where(total == 0, copies.targets, copies.sources))


def _copies(
    targets: Tensor, down: Tensor, across: Tensor, window: int, height: int, width: int
) -> Deflections:
    """``down`` and ``across`` in [0, 1) say where in the window the sources lie."""
    row = targets // width
    column = targets - row * width
    sources = _near(row, down, window, height) * width + _near(column, across, window, width)
    return Deflections(targets, sources)


def _shares(seeds: Sequence[int], rows: int, count: int) -> Tensor:
    """Four numbers in [0, 1) for each try: (4, S, rows, count), of S seeds."""
    drawn = [
        # Count first: more tries begin with the same ones.
        torch.rand(count, rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed in seeds
    ]
    return torch.stack(drawn).permute(3, 0, 2, 1).contiguous()


def _near(place: Tensor, share: Tensor, window: int, side: int) -> Tensor:
    """A uniform draw from the places at most ``window`` away and on the photo; ``share`` in [0, 1)."""
    low, high = (place - window).clamp(min=0), (place + window).clamp(max=side - 1)
    return torch.minimum(low + (share * (high - low + 1)).long(), high)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What all copies come to, sorted by target.

    Attributes:
        targets: (B, R, N) the pixels written to; one written to several times is there as often.
        origins: (B, R, N) the pixel whose first colour the target has in the end.
        last: (B, R, N) True for one of each target's entries.
    """

    targets: Tensor
    origins: Tensor
    last: Tensor


def outcome(deflections: Deflections) -> Outcome:
    """Whose first colour each target has in the end.

    A copy that reads a pixel written before reads what was written there last, so each copy points to the
    copy that it read from, and pointers are followed to their ends by doubling.
    """
    targets, sources = deflections.targets.contiguous(), deflections.sources.contiguous()
    count = targets.shape[-1]
    if not count:
        return Outcome(targets, sources, torch.zeros_like(sources, dtype=torch.bool))
    order = torch.arange(count, device=targets.device)
    written = (targets * count + order).sort(-1).values  # by target, then by time
    before = torch.searchsorted(written, sources * count + order) - 1
    candidate = written.gather(-1, before.clamp(min=0))
    pixel = candidate // count
    read = (before >= 0) & (pixel == sources)
    parent = torch.where(read, candidate - pixel * count, order)
    while True:
        further = parent.gather(-1, parent)
        if torch.equal(further, parent):
            break
        parent = further
    pixel = written // count
    last = torch.ones_like(pixel, dtype=torch.bool)
    torch.ne(pixel[..., 1:], pixel[..., :-1], out=last[..., :-1])
    # From each entry to its target's last one, whose time is the remainder.
    end = torch.where(last, order, count).flip(-1).cummin(-1).values.flip(-1)
    latest = written.gather(-1, end) - pixel * count
    return Outcome(pixel, sources.gather(-1, parent.gather(-1, latest)), last)


def deflect(x: Tensor, deflections: Deflections) -> Tensor:
    """The photos after all copies, (B, C, H, W), bit for bit as one by one; differentiable in ``x``."""
    batch, channels = x.shape[:2]
    flat = x.flatten(2)
    end = deflections.end
    shape = (batch, channels, end.origins.shape[-1])
    colours = flat.gather(2, end.origins.expand(shape))
    if colours.requires_grad:
        # All entries of a target carry its colour, but only one may carry its gradient.
        colours = torch.where(end.last.expand(shape), colours, colours.detach())
    return flat.scatter(2, end.targets.expand(shape), colours).view(x.shape)


def moved(deflections: Deflections, height: int, width: int) -> Tensor:
    """1 where a pixel has the colour of another, (B, 1, H, W); where any channel has, if they move apart."""
    end = deflections.end
    batch = end.targets.shape[0]
    elsewhere = (end.origins != end.targets).flatten(1)
    empty = torch.zeros(batch, height * width, device=elsewhere.device)
    return empty.scatter_reduce(1, end.targets.flatten(1), elsewhere.to(empty), "amax").view(
        batch, 1, height, width
    )
