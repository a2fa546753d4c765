"""A run summed up: accuracy with its interval, outcomes and causes, for each attack and defense."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evaluation.many_photos.causes import CAUSES
from evaluation.measures.intervals import wilson
from story.export import finite
from story.table import markdown_table

COLUMNS = ["attack", "defense", "outcome", "cause", "label", "clean", "ssim", "psnr", "ndcg", "milliseconds"]
_FIGURES = COLUMNS[-4:]
"""Those of them whose mean is told."""


@dataclass
class _Cell:
    outcomes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    clean_kept: int = 0
    clean_fooled: int = 0
    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


def summarise(tables: Iterable[pa.Table]) -> dict[str, Any]:
    """What ``summary.json`` holds, from the rows with ``COLUMNS``.

    ``accuracy`` is of all photos that could be used, a rejected one counting as wrong;
    ``accuracy_when_clean`` of those that the bare classifier gets right on the clean photo, and ``fooled``
    is how many of these come out wrong without being rejected; all with the ends of a 95 % interval.
    """
    cells: dict[tuple[str, str], _Cell] = {}
    for table in tables:
        rows = table.append_column("clean_right", pc.equal(table["label"], table["clean"]))
        rows = rows.append_column("place", pa.array(range(len(rows))))
        groups = rows.group_by([*COLUMNS[:4], "clean_right"], use_threads=False)
        counted = groups.aggregate(
            [([], "count_all"), ("place", "min"), *((name, "sum") for name in _FIGURES)]
        )
        # Cells in the order in which the rows have them.
        for group in counted.sort_by("place_min").to_pylist():
            cell = cells.setdefault((group["attack"], group["defense"]), _Cell())
            count = group["count_all"]
            cell.outcomes[group["outcome"]] += count
            if group["outcome"] == "unread":
                continue
            if group["cause"]:
                cell.causes[group["cause"]] += count
            if group["clean_right"]:
                cell.clean += count
                cell.clean_kept += count * (group["outcome"] == "right")
                cell.clean_fooled += count * (group["outcome"] == "wrong")
            for name in _FIGURES:
                total = group[f"{name}_sum"]
                cell.sums[name] += math.nan if total is None else total
    told = [_told(attack, defense, cell) for (attack, defense), cell in cells.items()]
    return {
        "photos": max((cell.outcomes.total() for cell in cells.values()), default=0),
        "unread": max((cell.outcomes["unread"] for cell in cells.values()), default=0),
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
        "fooled": _share(cell.clean_fooled, cell.clean),
        "outcomes": {name: cell.outcomes[name] for name in ("right", "wrong", "rejected", "unread")},
        "causes": {name: cell.causes[name] for name in CAUSES if cell.causes[name]},
        **{name: finite(cell.sums[name] / used) if used else None for name in _FIGURES},
    }


def _share(hits: int, trials: int) -> dict[str, float | int | None]:
    low, high = wilson(hits, trials)
    return {
        "hits": hits,
        "of": trials,
        "share": hits / trials if trials else None,
        "low": low,
        "high": high,
    }


def summary_table(told: dict[str, Any]) -> str:
    """What ``table.md`` holds, from a summary: accuracies in %, then how often each cause was."""
    cells = told["cells"]
    accuracies = markdown_table(
        [
            {
                "attack": cell["attack"],
                "defense": cell["defense"],
                "right": percent(cell["accuracy"]),
                "right, of those right when clean": percent(cell["accuracy_when_clean"]),
                "rejected": cell["outcomes"]["rejected"],
                "nDCG": "–" if cell["ndcg"] is None else f"{cell['ndcg']:.3f}",
                "SSIM": "–" if cell["ssim"] is None else f"{cell['ssim']:.3f}",
                "PSNR": "–" if cell["psnr"] is None else f"{cell['psnr']:.1f}",
                "ms": "–" if cell["milliseconds"] is None else f"{cell['milliseconds']:.1f}",
            }
            for cell in cells
        ]
    )
    met = [cause for cause in CAUSES if any(cause in cell["causes"] for cell in cells)]
    heads = ("attack", "defense")
    counted = markdown_table(
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


def percent(share: Mapping[str, Any] | None) -> str:
    """A share with its interval in %, "–" without a photo."""
    if share is None or share["share"] is None:
        return "–"
    return f"{100 * share['share']:.1f} ({100 * share['low']:.1f} to {100 * share['high']:.1f})"
