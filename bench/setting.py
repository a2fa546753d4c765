"""What a part of the bench is given: a classifier, photos, batches, and how long each case may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bench.interleaved import Clock, Row
from classifiers.base import Classifier
from classifiers.device import now
from photos import gallery_photo, packaged


@dataclass(frozen=True)
class LeftOut:
    """What was not measured, and why, as a sentence."""

    part: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.part}: {self.what} is left out: {self.why}."


Found = Row | LeftOut
Part = Callable[["Setting"], Iterator[Found]]


@dataclass(frozen=True)
class Setting:
    """One machine, one classifier, one set of photos for all parts.

    Attributes:
        classifier: which is asked, and whose device is measured.
        batches: how many photos at once, rising.
        size: of the photos that defenses get, in px.
        seconds: that each case may take; its rounds end after them.
        longest: seconds of one call from which on a peer is left out.
        hurried: whether a defense of ours is left out from there on too.
    """

    classifier: Classifier
    batches: Sequence[int] = (1, 16)
    size: int = 224
    seconds: float = 3.0
    longest: float = 5.0
    hurried: bool = False

    @property
    def clock(self) -> Clock:
        """Seconds, read when the device is done."""
        return partial(now, self.device)

    @property
    def device(self) -> torch.device:
        """Of the classifier."""
        return self.classifier.device


def photographs(count: int, size: int, device: torch.device | str = "cpu") -> Tensor:
    """(``count``, 3, ``size``, ``size``) in [0, 1]: our gallery's photos, each turn mirrored and moved on."""
    of_gallery = [gallery_photo(entry.name).working(size, crop_share=1)[0] for entry in packaged()[:count]]
    turns = []
    for number in range(count):
        turn = number // len(of_gallery)
        photo = of_gallery[number % len(of_gallery)].roll(turn * size // 7, dims=-1)
        turns.append(photo.flip(-1) if turn % 2 else photo)
    return torch.stack(turns).to(device)
