"""One named map on the way from the photo to the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Kind = Literal["photo", "heat", "signed", "mask"]


@dataclass(frozen=True, eq=False)
class Step:
    """A map with its name, its kind and what to look for in it.

    Attributes:
        name: lower-case phrase; it is what the reader sees and the key in every export.
        map: (B, C, H, W), the graph kept; C is 1 or 3. ``photo``: C = 3, in [0, 1]; ``heat``: >= 0;
            ``signed``: any sign; ``mask``: 0 or 1.
        kind: fixes colours, range and legend (``story.render``).
        note: one sentence, what to look for here.
        formula: LaTeX, as in the paper; empty where there is none.
        own_scale: a ``heat`` map is drawn over [0, 1]; with ``own_scale`` over [0, its own maximum], for
            quantities without a natural unit such as a gradient.
        arrows: (B, N, 4) whole numbers, row and column where an arrow begins and where it ends, drawn over
            the map when zoomed in; a row of -1 is no arrow. None for a map without any.
        empty: why the map is 0 everywhere where it is, half a sentence behind "because"; a photo needs none.
    """

    name: str
    map: Tensor
    kind: Kind
    note: str = ""
    formula: str = ""
    own_scale: bool = False
    arrows: Tensor | None = None
    empty: str = ""

    def words(self, index: int = 0) -> str:
        """What to look for in the map of photo ``index``; where it is 0 everywhere, why it is."""
        if self.kind == "photo" or not self.empty or bool(self.map[index].any()):
            return self.note
        return f"Empty because {self.empty}."


def by_name(steps: Sequence[Step], name: str) -> Step:
    """The step called ``name``.

    Raises:
        KeyError: no step has that name.
    """
    for step in steps:
        if step.name == name:
            return step
    raise KeyError(f"no step {name!r} among {', '.join(step.name for step in steps)}")
