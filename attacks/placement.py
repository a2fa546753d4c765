"""Where a square patch lies on a photo."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor

from attacks.base import Attack
from story import param


@dataclass(frozen=True)
class Box:
    """A square of ``side`` px whose upper left pixel is (``top``, ``left``)."""

    top: int
    left: int
    side: int

    def of(self, photos: Tensor) -> Tensor:
        """The part of ``photos`` (..., H, W) inside the box: a view, (..., side, side)."""
        return photos[..., self.top : self.top + self.side, self.left : self.left + self.side]


def box_for(height: int, width: int, share: float, x: float, y: float, margin: float) -> Box:
    """The box that covers ``share`` of a photo's area, as near to the wanted centre as the margin lets it.

    Args:
        height: of the photo, px.
        width: of the photo, px.
        share: of the area, 0-1; the side is whole px, at least 1, at most the photo's shorter side.
        x: wanted centre, share of the width.
        y: wanted centre, share of the height.
        margin: free strip along the border, share of the shorter side; it gives way where there is no room.
    """
    shorter = min(height, width)
    side = min(max(round(math.sqrt(share * height * width)), 1), shorter)
    strip = round(margin * shorter)
    return Box(_begin(y, height, side, strip), _begin(x, width, side, strip), side)


def _begin(centre: float, length: int, side: int, strip: int) -> int:
    """First of ``side`` px around ``centre`` (share of ``length`` px), ``strip`` px away from both ends."""
    room = length - side
    strip = min(strip, room // 2)
    return min(max(round(centre * length - side / 2), strip), room - strip)


def pasted(x: Tensor, box: Box, patch: Tensor) -> Tensor:
    """A copy of photos ``x`` (B, 3, H, W) with ``patch`` (3, side, side) or (B, 3, side, side) in the box."""
    result = x.clone()
    box.of(result).copy_(patch)
    return result


@dataclass(frozen=True)
class PatchAttack(Attack):
    """An attack that writes into one square and nowhere else.

    The default place is top right, 10 px of 400 away from both borders, as in You-Wei and Sheng-De 2022,
    section 4.
    """

    x: float = param(
        1.0, low=0, high=1, step=0.01, unit="of the width", help="centre of the patch from the left"
    )
    y: float = param(
        0.0, low=0, high=1, step=0.01, unit="of the height", help="centre of the patch from the top"
    )
    margin: float = param(
        10 / 400,
        low=0,
        high=0.25,
        step=0.005,
        unit="of the shorter side",
        help="strip along the border that the patch keeps free, wherever its centre is wanted",
        advanced=True,
    )

    @property
    @abstractmethod
    def covers(self) -> float:
        """The patch's share of the photo's area, 0-1."""

    @property
    def strength(self) -> float:
        """The share of the photo that it covers."""
        return self.covers

    def box(self, height: int, width: int) -> Box:
        """Where the patch lies on a photo of ``height`` x ``width`` px."""
        return box_for(height, width, self.covers, self.x, self.y, self.margin)

    def mask(self, x: Tensor) -> Tensor:
        """(B, 1, H, W), 1 inside the box."""
        mask = x.new_zeros((x.shape[0], 1, *x.shape[2:]))
        self.box(x.shape[2], x.shape[3]).of(mask).fill_(1)
        return mask
