"""Automatic λ: how strongly LGS and its children smooth, by the area that busy windows cover.

The papers fix λ for all photos, and the enhanced one wishes that it set itself; how it does so here is ours.
A patch makes a certain area busy, texture all over another: ``training.fit_suspicion`` measures which λ is
best at which area.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ops.scaling import PIXELS

FILE = Path(__file__).parents[1] / "assets" / "automatic.json"


@dataclass(frozen=True)
class Staircase:
    """λ over area: ``lams[i]`` up to and including ``areas[i]``, the last of them beyond."""

    areas: tuple[float, ...]
    lams: tuple[float, ...]

    def at(self, area: Tensor) -> Tensor:
        """λ for each of ``area`` (B,)."""
        steps = torch.bucketize(area, area.new_tensor(self.areas))
        return area.new_tensor(self.lams)[steps]


def busy_area(kept: Tensor) -> Tensor:
    """The share of a photo's pixels that ĝ (B, C, H, W) keeps in any channel, (B,)."""
    return (kept > 0).any(1, keepdim=True).to(kept).mean(PIXELS)[:, 0]


@torch.no_grad()
def automatic_lam(method: str, kept: Tensor) -> Tensor:
    """λ of each photo, (B, 1, 1, 1), from its ĝ (B, C, H, W).

    Args:
        method: "lgs", "slgs" or "wlgs".
        kept: ĝ.

    Raises:
        ValueError: ``training.fit_suspicion`` has not written its file, or that says nothing of ``method``.
    """
    staircases = _read(FILE)
    if method not in staircases:
        raise ValueError(
            f"there is no automatic λ for {method}: python -m training.fit_suspicion measures one"
        )
    return staircases[method].at(busy_area(kept)).view(-1, 1, 1, 1)


@lru_cache(maxsize=4)
def _read(file: Path) -> dict[str, Staircase]:
    if not file.exists():
        return {}
    card: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {
        method: Staircase(tuple(stairs["areas"]), tuple(stairs["lams"]))
        for method, stairs in card["methods"].items()
    }
