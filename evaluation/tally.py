"""A run summed up: accuracy with its interval, outcomes and causes, for each attack and defense."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from evaluation.causes import CAUSES
from evaluation.measuring import markdown
from story.export import finite

COLUMNS = ["attack", "defense", "outcome", "cause", "label", "clean", "ssim", "psnr", "milliseconds"]
_Z = 1.959963984540054
"""Standard deviations of a normal distribution around its mean that hold 95 %."""


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share, both ends in [0, 1]; 0 to 1 without a trial.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    if not trials:
        return 0.0, 1.0
    share, narrowing = hits / trials, _Z**2 / trials
    centre = (share + narrowing / 2) / (1 + narrowing)
    half = _Z * math.sqrt(share * (1 - share) / trials + narrowing / (4 * trials)) / (1 + narrowing)
    # Rounding must not leave the ends beside 0 and 1.
    return (0.0 if not hits else centre - half), (1.0 if hits == trials else centre + half)


@dataclass
class _Cell:
    outcomes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    clean_kept: int = 0
    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


def summary(tables: Iterable[pa.Table]) -> dict[str, Any]:
    """What ``summary.json`` holds, from the rows with ``COLUMNS``.

    ``accuracy`` is of all photos that could be used, a rejected one counting as wrong;
    ``accuracy_when_clean`` of those that the bare classifier gets right on the clean photo; both with the
    ends of a 95 % interval.
    """
    cells: dict[tuple[str, str], _Cell] = {}
    for table in tables:
        columns = (table[name].to_pylist() for name in COLUMNS)
        for attack, defense, outcome, cause, label, clean, *figures in zip(*columns, strict=True):
            cell = cells.setdefault((attack, defense), _Cell())
            cell.outcomes[outcome] += 1
            if outcome == "unread":
                continue
            if cause:
                cell.causes[cause] += 1
            if label == clean:
                cell.clean += 1
                cell.clean_kept += outcome == "right"
            for name, figure in zip(COLUMNS[-3:], figures, strict=True):
                cell.sums[name] += figure
    told = [_told(attack, defense, cell) for (attack, defense), cell in cells.items()]
    return {
        "photos": sum(next(iter(cells.values())).outcomes.values()),
        "unread": next(iter(cells.values())).outcomes["unread"],
        "cells": told,
    }


def _told(attack: str, defense: str, cell: _Cell) -> dict[str, Any]:
    used = cell.outcomes.total() - cell.outcomes["unread"]
    right = cell.outcomes["right"]
    return {
        "attack": attack,
        "defense": defense,
        "photos": used,
        "accuracy": _share(right, used),
        "accuracy_when_clean": _share(cell.clean_kept, cell.clean),
        "outcomes": {name: cell.outcomes[name] for name in ("right", "wrong", "rejected", "unread")},
        "causes": {name: cell.causes[name] for name in CAUSES if cell.causes[name]},
        **{name: finite(cell.sums[name] / used) if used else None for name in COLUMNS[-3:]},
    }


def _share(hits: int, trials: int) -> dict[str, float | int | None]:
    low, high = wilson(hits, trials)
    return {
        "right": hits,
        "of": trials,
        "share": hits / trials if trials else None,
        "low": low,
        "high": high,
    }


def table(told: dict[str, Any]) -> str:
    """What ``table.md`` holds, from a summary: accuracies in %, then how often each cause was."""
    cells = told["cells"]
    accuracies = markdown(
        [
            {
                "attack": cell["attack"],
                "defense": cell["defense"],
                "right": _percent(cell["accuracy"]),
                "right, of those right when clean": _percent(cell["accuracy_when_clean"]),
                "rejected": cell["outcomes"]["rejected"],
                "SSIM": "–" if cell["ssim"] is None else f"{cell['ssim']:.3f}",
                "PSNR": "–" if cell["psnr"] is None else f"{cell['psnr']:.1f}",
                "ms": "–" if cell["milliseconds"] is None else f"{cell['milliseconds']:.1f}",
            }
            for cell in cells
        ]
    )
    met = [cause for cause in CAUSES if any(cause in cell["causes"] for cell in cells)]
    heads = ("attack", "defense")
    counted = markdown(
        [
            {head: cell[head] for head in heads} | {cause: cell["causes"].get(cause, 0) for cause in met}
            for cell in cells
        ]
    )
    unread = f", {told['unread']} of them could not be used" if told["unread"] else ""
    return (
        f"{told['photos']} photos{unread}. Right: % of the photos, with the 95 % interval.\n\n"
        f"{accuracies}\n\n{counted}"
    )


def _percent(share: dict[str, Any]) -> str:
    if share["share"] is None:
        return "–"
    return f"{100 * share['share']:.1f} ({100 * share['low']:.1f} to {100 * share['high']:.1f})"
