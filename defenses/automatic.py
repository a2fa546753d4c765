"""Automatic λ: how strongly LGS and its children smooth, by the area that busy windows cover.

The papers fix λ for all photos, and the enhanced one wishes that it set itself; how it does so here is ours.
A patch makes a certain area busy, texture all over another: ``training.fit_suspicion`` measures which λ is
best at which area, for one classifier at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from classifiers.base import Classifier
from classifiers.fitted import fitted_card
from ops.scaling import PIXELS

FOLDER = Path(__file__).parents[1] / "assets" / "automatic"


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
def automatic_lam(method: str, kept: Tensor, model: Classifier) -> Tensor:
    """λ of each photo, (B, 1, 1, 1), from its ĝ (B, C, H, W).

    Args:
        method: "lgs", "slgs" or "wlgs".
        kept: ĝ.
        model: the classifier behind the defense.

    Raises:
        ValueError: ``training.fit_suspicion`` has written no file, or that says nothing of ``method``.
    """
    card = fitted_card(FOLDER, model)
    if card is None or method not in card["methods"]:
        raise ValueError(
            f"there is no automatic λ for {method}: python -m training.fit_suspicion measures one"
        )
    stairs = card["methods"][method]
    return Staircase(tuple(stairs["areas"]), tuple(stairs["lams"])).at(busy_area(kept)).view(-1, 1, 1, 1)


def fitted_on(model: Classifier) -> str | None:
    """Identity of the classifier whose automatic λ ``model`` gets, if possible its own; None without any."""
    card = fitted_card(FOLDER, model)
    return None if card is None else str(card["classifier"])
