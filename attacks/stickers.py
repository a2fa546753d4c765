"""A square patch as it would be stuck onto a scene: anywhere, turned, scaled, under another light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.placement import Box
from ops.placing import placed


@dataclass(frozen=True, eq=False)
class Stickers:
    """How the patch lies on each of B photos; everything is (B,).

    Attributes:
        row, column: its centre, px from the upper left corner of the photo.
        side: px.
        angle: degrees, counterclockwise.
        contrast: factor of the patch's values, about their mean.
        brightness: added to them afterwards.
    """

    row: Tensor
    column: Tensor
    side: Tensor
    angle: Tensor
    contrast: Tensor
    brightness: Tensor

    def to(self, device: torch.device) -> Stickers:
        """The same on another device."""
        return Stickers(**{name: value.to(device) for name, value in vars(self).items()})


def straight(box: Box, count: int, *, angle: float = 0.0) -> Stickers:
    """The patch in ``box`` on each of ``count`` photos, turned about its centre by ``angle`` degrees."""
    every = torch.ones(count)
    return Stickers(
        row=(box.top + box.side / 2) * every,
        column=(box.left + box.side / 2) * every,
        side=box.side * every,
        angle=angle * every,
        contrast=every,
        brightness=0 * every,
    )


def scattered(
    box: Box,
    count: int,
    size: int,
    generator: torch.Generator,
    *,
    rotation: float = 0.0,
    scale: float = 1.0,
    light: float = 0.0,
    anywhere: bool = True,
) -> Stickers:
    """Stickers drawn for each of ``count`` photos of ``size`` x ``size`` px.

    Args:
        box: gives the side, and the place unless ``anywhere``.
        count: number of photos.
        size: of the photos, px.
        generator: makes the draws, on the CPU.
        rotation: at most this many degrees to either side.
        scale: the side is multiplied by 1 / ``scale`` to ``scale``, log-evenly.
        light: contrast is multiplied by 1 ± ``light``, and up to ± ``light`` / 2 is added.
        anywhere: the whole sticker lies somewhere on the photo.
    """
    drawn = 2 * torch.rand(6, count, generator=generator) - 1  # -1 to 1
    side = box.side * scale ** drawn[0]
    angle = rotation * drawn[1]
    if anywhere:
        turned = angle * math.pi / 180
        half = side / 2 * (turned.cos().abs() + turned.sin().abs())  # of the square that holds the turned one
        room = (size / 2 - half).clamp(min=0)
        row, column = size / 2 + room * drawn[2], size / 2 + room * drawn[3]
    else:
        row = torch.full((count,), box.top + box.side / 2)
        column = torch.full((count,), box.left + box.side / 2)
    return Stickers(row, column, side, angle, 1 + light * drawn[4], light / 2 * drawn[5])


def stuck(x: Tensor, patch: Tensor, stickers: Stickers) -> tuple[Tensor, Tensor]:
    """Photos ``x`` (B, 3, H, W) with ``patch`` (1 or B, 3, S, S), and how far it covers them, (B, 1, H, W).

    ``ops.placing.placed`` lays it there, differentiable in both photos and patch.
    """
    lie = {name: value.to(x) for name, value in vars(stickers).items()}
    contrast, brightness = (lie[name].view(-1, 1, 1, 1) for name in ("contrast", "brightness"))
    lit = ((patch - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    return placed(x, lit, torch.stack((lie["row"], lie["column"]), 1), lie["side"], lie["angle"])
