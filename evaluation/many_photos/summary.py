"""A run summed up: accuracy with its interval, outcomes and causes, for each attack and defense."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evaluation.many_photos.causes import CAUSES
from evaluation.many_photos.columns import LEFT_OUT, OUTCOMES, UNREAD
from evaluation.measures.intervals import Share
from story.table import markdown_table

_WORDS = ["attack", "defense", "outcome", "cause"]
_FIGURES = ["ssim", "psnr", "ndcg", "milliseconds"]
"""Those whose mean is told."""
COLUMNS = [*_WORDS, "label", "clean", "reached", *_FIGURES]


@dataclass(frozen=True)
class Mean:
    """The mean of a figure over those photos on which it is finite.

    Attributes:
        mean: None where there is none.
        photos: how many there were.
    """

    mean: float | None
    photos: int


@dataclass(frozen=True)
class CellSummary:
    """What became of all photos under one attack, behind one defense.

    Attributes:
        attack, defense: their names in the rows.
        photos: how many count: those that could be read and are not of the attack's own label.
        accuracy: of these, the right ones; a rejected one is not, nor one that was wrong before the attack.
        accuracy_when_clean: the same of those that the bare classifier gets right on the clean photo.
        fooled: of those, the ones that come out wrong without being rejected.
        reached: of the attacked ones, those that come out as the attack's label; of none where it has none.
        outcomes: outcome -> photos.
        causes: cause -> photos; only those that were met.
        ssim, psnr, ndcg, milliseconds: means.
    """

    attack: str
    defense: str
    photos: int
    accuracy: Share
    accuracy_when_clean: Share
    fooled: Share
    reached: Share
    outcomes: dict[str, int]
    causes: dict[str, int]
    ssim: Mean
    psnr: Mean
    ndcg: Mean
    milliseconds: Mean


@dataclass(frozen=True)
class Summary:
    """A run summed up.

    Attributes:
        photos: how many there are.
        unread: how many of them could not be used.
        cells: in the order in which the rows have them.
    """

    photos: int
    unread: int
    cells: tuple[CellSummary, ...]

    @property
    def json(self) -> dict[str, Any]:
        """What ``summary.json`` holds."""
        return asdict(self)


@dataclass
class _Counts:
    outcomes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    clean: int = 0
    clean_kept: int = 0
    clean_fooled: int = 0
    aimed: int = 0
    reached: int = 0
    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    finite: Counter[str] = field(default_factory=Counter)


def summarise(tables: Iterable[pa.Table]) -> Summary:
    """A run summed up, from its rows with ``COLUMNS``."""
    cells: dict[tuple[str, str], _Counts] = {}
    for table in tables:
        rows = table.append_column("clean_right", pc.equal(table["label"], table["clean"]))
        rows = rows.append_column("place", pa.array(range(len(rows))))
        for name in _FIGURES:
            number = rows.schema.get_field_index(name)
            finite = pc.if_else(pc.is_finite(rows[name]), rows[name], pa.scalar(None, pa.float64()))
            rows = rows.set_column(number, name, finite)
        groups = rows.group_by([*_WORDS, "clean_right", "reached"], use_threads=False)
        figures = [(name, how) for name in _FIGURES for how in ("sum", "count")]
        counted = groups.aggregate([([], "count_all"), ("place", "min"), *figures])
        # Cells in the order in which the rows have them.
        for group in counted.sort_by("place_min").to_pylist():
            _add(cells.setdefault((group["attack"], group["defense"]), _Counts()), group)
    return Summary(
        photos=max((counts.outcomes.total() for counts in cells.values()), default=0),
        unread=max((counts.outcomes[UNREAD] for counts in cells.values()), default=0),
        cells=tuple(_cell(attack, defense, counts) for (attack, defense), counts in cells.items()),
    )


def _add(counts: _Counts, group: dict[str, Any]) -> None:
    """Counts a group of rows that have the same words."""
    count, outcome = group["count_all"], group["outcome"]
    counts.outcomes[outcome] += count
    if outcome not in OUTCOMES:
        return
    if group["cause"]:
        counts.causes[group["cause"]] += count
    if group["clean_right"]:
        counts.clean += count
        counts.clean_kept += count * (outcome == "right")
        counts.clean_fooled += count * (outcome == "wrong")
    if group["reached"] is not None:
        counts.aimed += count
        counts.reached += count * group["reached"]
    for name in _FIGURES:
        counts.sums[name] += group[f"{name}_sum"] or 0.0
        counts.finite[name] += group[f"{name}_count"]


def _cell(attack: str, defense: str, counts: _Counts) -> CellSummary:
    used = sum(counts.outcomes[outcome] for outcome in OUTCOMES)

    def mean(name: str) -> Mean:
        photos = counts.finite[name]
        return Mean(counts.sums[name] / photos if photos else None, photos)

    return CellSummary(
        attack=attack,
        defense=defense,
        photos=used,
        accuracy=Share.counted(counts.outcomes["right"], used),
        accuracy_when_clean=Share.counted(counts.clean_kept, counts.clean),
        fooled=Share.counted(counts.clean_fooled, counts.clean),
        reached=Share.counted(counts.reached, counts.aimed),
        outcomes={name: counts.outcomes[name] for name in (*OUTCOMES, LEFT_OUT, UNREAD)},
        causes={name: counts.causes[name] for name in CAUSES if counts.causes[name]},
        ssim=mean("ssim"),
        psnr=mean("psnr"),
        ndcg=mean("ndcg"),
        milliseconds=mean("milliseconds"),
    )


def summary_table(summary: Summary) -> str:
    """What ``table.md`` holds: accuracies in %, then how often each cause was."""
    cells = summary.cells
    accuracies = markdown_table(
        [
            {
                "attack": cell.attack,
                "defense": cell.defense,
                "right": cell.accuracy.percent,
                "right, of those right when clean": cell.accuracy_when_clean.percent,
                "the attack's label": cell.reached.percent,
                "rejected": cell.outcomes["rejected"],
                "left out": cell.outcomes[LEFT_OUT],
                "figures of": cell.milliseconds.photos,
                "nDCG": _mean(cell.ndcg, 3, cell.milliseconds.photos),
                "SSIM": _mean(cell.ssim, 3, cell.milliseconds.photos),
                "PSNR": _mean(cell.psnr, 1, cell.milliseconds.photos),
                "ms": _mean(cell.milliseconds, 1, cell.milliseconds.photos),
            }
            for cell in cells
        ]
    )
    met = [cause for cause in CAUSES if any(cause in cell.causes for cell in cells)]
    causes = markdown_table(
        [
            {"attack": cell.attack, "defense": cell.defense}
            | {cause: cell.causes.get(cause, 0) for cause in met}
            for cell in cells
        ]
    )
    unread = f", {summary.unread} of them could not be used" if summary.unread else ""
    return (
        f"{summary.photos} photos{unread}. Right: % of the photos, with the 95 % interval. A photo that is "
        "wrong without the attack, behind the same defense, counts as wrong; one of the attack's own "
        "label is left out. Figures are of the photos that were attacked; their means, of those with a "
        f"finite one.\n\n{accuracies}\n\n{causes}"
    )


def _mean(mean: Mean, decimals: int, of: int) -> str:
    """With the number of photos where it is not all of them."""
    if mean.mean is None:
        return "–"
    return f"{mean.mean:.{decimals}f}" + (f" ({mean.photos} of {of})" if mean.photos < of else "")
