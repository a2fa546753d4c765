"""The strip of all steps, the chosen one large with its legend and values, zoom shared by all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from story import Kind, Step
from story.render import eight_bits, legend, limits
from ui.browser.assembly import assemble
from ui.browser.formula import formula_markup
from ui.browser.parcel import digest_of, pack
from ui.session.shelf import Shelf

_LEVELS = 65534  # of a quantised value; 65535 says "not a number"
_mount = assemble("story_viewer")
_panels: Shelf[tuple[Tensor, Tensor | None, Panel]] = Shelf(64)
"""The last panel of each step with what it shows, of all visits: most stay while a slider moves."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A step as the browser shows it.

    Attributes:
        name: what the visitor reads, unique in its story.
        legend: (256, 3) colours from the low to the high end; (0, 3) where there is none.
        limits: values at the two ends of the legend.
        kind: of the step.
        note: one sentence, what to look for.
        formula: LaTeX.
        values: (H, W) or (H, W, 3), a photo's in [0, 1]; the browser draws them and reads them out.
        alt: the picture in words.
        arrows: (N, 4), row and column where each begins and ends; drawn when zoomed in. None for none.
    """

    name: str
    legend: NDArray[np.uint8]
    limits: tuple[float, float]
    kind: Kind
    note: str
    formula: str
    values: NDArray[np.float32]
    alt: str
    arrows: NDArray[np.int16] | None = None

    @cached_property
    def parcel(self) -> tuple[dict[str, Any], list[bytes]]:
        """What the browser gets of it: its part of the header, and its bytes.

        By the ``digest`` in the header the browser knows a panel that has not changed.
        """
        numbers, scale = _quantise(self)
        header = {
            "name": self.name,
            "kind": self.kind,
            "note": self.note,
            "formula": formula_markup(self.formula),
            "limits": self.limits,
            "alt": self.alt,
            "values": scale,
        }
        arrows = b"" if self.arrows is None else self.arrows.astype("<i2").tobytes()
        parts = [self.legend.tobytes(), numbers, arrows]
        return {**header, "digest": digest_of(json.dumps(header), parts)}, parts


def panels_of(steps: Sequence[Step], index: int = 0) -> list[Panel]:
    """The panels of photo ``index`` of the batch; of a step that has not changed it is the same object."""
    return [_panel(step, index) for step in steps]


def _panel(step: Step, index: int) -> Panel:
    maps = step.map[index].detach().cpu()
    lines = None if step.arrows is None else step.arrows[index].cpu()
    key = (step.name, step.kind, step.note, step.formula, step.own_scale, step.empty)
    kept = _panels.get(key)
    if kept is not None and _same(kept[0], maps) and _same(kept[1], lines):
        return kept[2]
    return _panels.put(key, (maps, lines, _drawn(step, index, maps, lines)))[2]


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and torch.equal(one, other)


def _drawn(step: Step, index: int, maps: Tensor, lines: Tensor | None) -> Panel:
    values = maps.float().permute(1, 2, 0).numpy()
    height, width, channels = values.shape
    low, high = limits(step, index)
    alt = f"{step.name}, {width} by {height} pixels"
    if step.kind != "photo":
        alt += f", from {low:.3g} to {high:.3g}, mean {float(values.mean()):.3g}"
    return Panel(
        name=step.name,
        legend=legend(step.kind),
        limits=(low, high),
        kind=step.kind,
        note=step.words(index),
        formula=step.formula,
        values=values if channels > 1 else values[..., 0],
        alt=alt,
        arrows=None if lines is None else _arrows(lines),
    )


def _arrows(lines: Tensor) -> NDArray[np.int16]:
    """Those that begin somewhere, and not where they end."""
    kept = (lines[:, 0] >= 0) & (lines[:, :2] != lines[:, 2:]).any(1)
    return lines[kept].to(torch.int16).cpu().numpy()


def story_viewer(
    panels: Sequence[Panel], *, key: str, start_step: str | None = None, side_by_side: bool = False
) -> None:
    """Shows ``panels``, all of one size.

    Choosing a step, comparing, zooming and reading values happen in the browser; the server never hears of
    it. What the visitor chose outlives reruns with new maps, page changes and reloads: it is kept by ``key``.
    A chosen step that a story does not have is shown again as soon as one has it.

    Args:
        panels: at least one; the first is what the others are compared with.
        key: of the component, and of what the visitor chose.
        start_step: name of the step that is shown until the visitor chooses one; a later, different one is
            followed.
        side_by_side: all panels large in one row instead of the strip, where the page is wide enough.

    Raises:
        ValueError: no panels, or two of the same name.
    """
    _mount(key=key, data=story_parcel(panels, key=key, start_step=start_step, side_by_side=side_by_side))


def story_parcel(
    panels: Sequence[Panel], *, key: str, start_step: str | None = None, side_by_side: bool = False
) -> bytes:
    """What ``story_viewer`` sends to the browser; arguments and errors are its."""
    names = [panel.name for panel in panels]
    if not names:
        raise ValueError("a story needs at least one panel")
    if len(set(names)) < len(names):
        raise ValueError(f"two panels have the same name: {', '.join(names)}")
    headers = [panel.parcel[0] for panel in panels]
    parts = [part for panel in panels for part in panel.parcel[1]]
    header = {"key": key, "chosen": start_step, "sideBySide": side_by_side, "panels": headers}
    return pack(header, parts, by_header=True)


def _quantise(panel: Panel) -> tuple[bytes, dict[str, Any]]:
    """The panel's values as bytes, and what the browser needs to read them.

    A photo as its 8-bit numbers; any other map in 65535 levels between its own extremes, which is finer than
    what is shown of it.
    """
    values = panel.values
    scale: dict[str, Any] = {
        "height": values.shape[0],
        "width": values.shape[1],
        "channels": 1 if values.ndim == 2 else values.shape[2],
    }
    finite = np.isfinite(values)
    whole = bool(finite.all())
    if panel.kind == "photo":
        shown = (values if whole else np.where(finite, values, 0)).clip(0, 1)
        return eight_bits(shown).tobytes(), scale
    finite_values = (values if whole else values[finite]).astype(np.float64)
    low, high = (float(finite_values.min()), float(finite_values.max())) if finite_values.size else (0.0, 0.0)
    shares = np.rint((finite_values - low) * (_LEVELS / ((high - low) or 1.0))).astype("<u2")
    if whole:
        return shares.tobytes(), {**scale, "low": low, "high": high}
    levels = np.full(values.shape, _LEVELS + 1, "<u2")
    levels[finite] = shares
    return levels.tobytes(), {**scale, "low": low, "high": high}
