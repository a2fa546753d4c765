"""What ``bench.on_gpu`` found: one screen for the reader, tables and JSON for a folder."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.agreement import MEAN_APART, MOST_APART, SAME, Check
from bench.device_parts import (
    AGREEMENT,
    ARCHITECTURES,
    BENCH,
    EVALUATION,
    MEMORY,
    MOVES,
    PARTS,
    PEERS,
    Circumstances,
    Failure,
    Peak,
)
from bench.interleaved import Row
from bench.parts import write_rows
from bench.report import spread
from bench.setting import LeftOut
from story.export import report_json
from story.table import markdown_table

SUMMARY, JSON = "on-gpu.md", "on-gpu.json"
GOAL = 16.0
"""Milliseconds that a move of a λ slider may take: one picture of a screen that shows sixty a second."""
_WIDTH = 110
_SHOWN = 5
"""Failures that the screen names; the rest are counted, and stand in the folder."""


@dataclass
class Findings:
    """All that a run has told so far.

    Attributes:
        allowed: minutes.
        notes: sentences on what was installed, or is missing.
        began: when, by ``time.time``.
        where: None until the device has told its name.
        seconds: of every part that ended, or was ended.
        cut: names of the parts of which something was left out.
        checks: by the part that they belong to.
    """

    allowed: float
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    where: Circumstances | None = None
    rows: list[Row] = field(default_factory=list)
    checks: dict[str, list[Check]] = field(default_factory=dict)
    peaks: list[Peak] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)

    @property
    def went_well(self) -> bool:
        """Whether nothing failed and every check holds; what was left out for lack of time did not fail."""
        return self.where is not None and not self.failures and all(check.holds for check in self.all_checks)

    @property
    def all_checks(self) -> list[Check]:
        """Of all parts."""
        return [check for checks in self.checks.values() for check in checks]

    def add(self, found: Row | Check | Peak | LeftOut | Failure, part: str) -> None:
        """Keeps one thing that ``part`` has told."""
        match found:
            case Row():
                self.rows.append(found)
            case Check():
                self.checks.setdefault(part, []).append(found)
            case Peak():
                self.peaks.append(found)
            case LeftOut():
                self.left_out.append(found)
            case Failure():
                self.failures.append(found)


def slug(name: str) -> str:
    """``name`` as a folder's: "NVIDIA H100 PCIe" becomes "nvidia-h100-pcie"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def summary(findings: Findings) -> str:
    """One screen: a line or two for each part, then what failed and what was left out."""
    heading = findings.where.heading if findings.where else "Nothing was measured"
    took = (time.time() - findings.began) / 60
    lines = [f"{heading}: {took:.1f} of {findings.allowed:g} minutes.", *findings.notes, ""]
    for part in PARTS:
        said = _SENTENCES[part](findings)
        if said:
            cut = " (cut short)" if part in findings.cut else ""
            lines += _wrapped(f"{part}{cut}", said)
    # What is not installed is no news on a screen; what found no time is.
    late = [one for one in findings.left_out if one.part in PARTS]
    broken = [f"{check.title}: {', '.join(check.broken)}" for check in findings.all_checks if not check.holds]
    for name, sentences in (
        ("failed", [*map(str, findings.failures), *broken]),
        ("left out", [f"{one.part}: {one.what} ({one.why})" for one in late]),
    ):
        lines += [_cut_off(f"{name:<14}{one}", _WIDTH) for one in sentences[:_SHOWN]]
        if len(sentences) > _SHOWN:
            lines.append(f"{name:<14}and {len(sentences) - _SHOWN} more")
    return "\n".join(lines)


def write(folder: Path, findings: Findings) -> list[str]:
    """Writes the bench's own files and the two of this run into ``folder``, and gives their names.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    if findings.where is not None:
        where = findings.where
        names = write_rows(folder, where.heading, where.facts, findings.rows, findings.left_out)
    (folder / SUMMARY).write_text(_markdown(findings), encoding="utf-8")
    (folder / JSON).write_text(report_json(_facts(findings)), encoding="utf-8")
    return [*names, SUMMARY, JSON]


def _agreement(checks: Sequence[Check]) -> str:
    if not checks:
        return ""
    furthest = max(checks, key=lambda check: check.mean)
    return (
        f"{sum(check.holds for check in checks)} of {len(checks)} comparisons with the CPU hold; "
        f"furthest apart: in float64 {max(check.apart for check in checks):.2%} of values; "
        f"in float32 {furthest.title}, by {furthest.mean:.1g} of the largest"
    )


def _moves(findings: Findings) -> str:
    moved = [
        row for row in findings.rows if row.part == "moves" and row.by == "Unfool" and row.stage == "all"
    ]
    times = [f"{row.case} {row.milliseconds.median:.3g} ms" for row in moved]
    lam = [row.milliseconds.median for row in moved if row.case.startswith("λ")]
    if not lam:
        return "; ".join(times)
    goal = f"under {GOAL:g} ms: {'yes' if max(lam) < GOAL else f'no, up to {max(lam):.3g}'}"
    return f"λ {goal}; " + "; ".join(times)


def _whole_moves(findings: Findings) -> list[Row]:
    return [row for row in findings.rows if row.part == MOVES and row.stage == "all"]


def _evaluation(findings: Findings) -> str:
    done = [row for row in findings.rows if row.part == "evaluation" and row.by == "Unfool"]
    return "; ".join(
        f"{row.case} in {row.milliseconds.median / 1000:.3g} s"
        + (f", {row.ratio.median:.2f} times its bare passes" if row.ratio else "")
        for row in done
    )


def _peers(findings: Findings) -> str:
    beside = [
        row
        for row in findings.rows
        if row.over == "Unfool, transform" and row.case.startswith(("pixel-deflection", "BayesShrink"))
    ]
    largest = {(row.case, row.by): row for row in beside}.values()  # batches rise
    return "; ".join(
        f"{row.by} takes {row.ratio.median:.3g} times as long as ours for {row.case} (batch {row.batch})"
        for row in largest
        if row.ratio
    )


def _memory(findings: Findings) -> str:
    if not findings.peaks:
        return ""
    heavy = [peak for peak in findings.peaks if peak.own is not None]
    if not heavy:
        return f"{len(findings.peaks)} cases ran; this device does not tell its memory"
    heavy.sort(key=lambda peak: peak.own or 0, reverse=True)
    return f"{len(heavy)} cases; most at batch {heavy[0].batch}: " + "; ".join(
        f"{peak.case} {(peak.own or 0) / 1e9:.2g} GB" for peak in heavy[:3]
    )


def _bench(findings: Findings) -> str:
    ours = [
        row
        for row in findings.rows
        if row.part == "defenses" and row.by == "Unfool" and row.over == "the classifier, one pass"
    ]
    if not ours:
        return ""
    batch = max(row.batch for row in ours)
    whole = {row.case: row for row in ours if row.batch == batch and row.stage in ("all", "transform")}
    slow = sorted(whole.values(), key=lambda row: row.ratio.median if row.ratio else 0, reverse=True)
    return f"{len(findings.rows)} rows; slowest defenses at batch {batch}, in passes: " + "; ".join(
        f"{row.case} {row.ratio.median:.3g}" for row in slow[:4] if row.ratio
    )


_SENTENCES = {
    AGREEMENT: lambda findings: _agreement(findings.checks.get(AGREEMENT, [])),
    MOVES: _moves,
    EVALUATION: _evaluation,
    PEERS: _peers,
    MEMORY: _memory,
    BENCH: _bench,
    ARCHITECTURES: lambda findings: _agreement(findings.checks.get(ARCHITECTURES, [])),
}


def _wrapped(name: str, sentence: str) -> list[str]:
    """In lines, broken between the pieces that semicolons part, beside the name."""
    lines, line = [], f"{name:<14}"
    for number, piece in enumerate(sentence.split("; ")):
        joined = f"{line}; {piece}" if number else f"{line}{piece}"
        if number and len(joined) > _WIDTH:
            lines.append(f"{line};")
            joined = f"{'':<14}{piece}"
        line = joined
    return [*lines, line]


def _cut_off(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _markdown(findings: Findings) -> str:
    texts = [f"```\n{summary(findings)}\n```"]
    if findings.all_checks:
        texts.append(
            "## Comparisons with the CPU\n\n"
            f"In float64 at most {100 * MOST_APART:g} % of the values may differ by more than {SAME:g} of "
            f"the largest; in float32 their mean distance may be {100 * MEAN_APART:g} % of the largest. "
            "Random draws are among what is compared.\n\n"
            + markdown_table([*map(_check_cells, findings.all_checks)])
        )
    if findings.peaks:
        texts.append("## Memory\n\n" + markdown_table([*map(_peak_cells, findings.peaks)]))
    moved = _whole_moves(findings)
    if moved:
        cells = [{"slider": row.case, "ms": spread(row.milliseconds), "goal": f"{GOAL:g}"} for row in moved]
        texts.append("## Moves\n\n" + markdown_table(cells))
    texts += [f"## {failure}\n\n```\n{failure.trace}```" for failure in findings.failures]
    return "\n\n".join(texts) + "\n"


def _check_cells(check: Check) -> dict[str, Any]:
    return {
        "registry": check.registry,
        "what": check.name,
        "float64, values apart": f"{check.apart:.2%}",
        "float32, mean": f"{check.mean:.1g}",
        "holds": "yes" if check.holds else ", ".join(check.broken).replace("|", "/"),
    }


def _peak_cells(peak: Peak) -> dict[str, Any]:
    known = peak.bytes is not None and peak.own is not None
    return {
        "case": peak.case,
        "batch": f"{peak.batch}",
        "MB in all": f"{peak.bytes / 1e6:.0f}" if known and peak.bytes is not None else "",
        "MB a photo": f"{peak.own / peak.batch / 1e6:.1f}" if known and peak.own is not None else "",
    }


def _facts(findings: Findings) -> dict[str, Any]:
    return {
        **(dict(findings.where.facts) if findings.where else {}),
        "minutes": findings.allowed,
        "notes": findings.notes,
        "seconds": findings.seconds,
        "cut_short": sorted(findings.cut),
        "went_well": findings.went_well,
        "checks": _dicts(findings.all_checks),
        "peaks": _dicts(findings.peaks),
        "failures": _dicts(findings.failures),
        "left_out": _dicts(findings.left_out),
    }


def _dicts(found: Iterable[Check | Peak | Failure | LeftOut]) -> Sequence[dict[str, Any]]:
    return [asdict(one) for one in found]
