"""All parts of the bench by the name that the command line uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import attacking, browsing, classifying, defending, evaluating, shrinking
from bench.figure import PHOTOS, figure
from bench.interleaved import Row
from bench.report import circumstances, heading, tables, with_rows
from bench.setting import Found, LeftOut, Part, Setting
from story.export import report_json


def _moving(setting: Setting) -> Iterator[Found]:
    # Imported here because the browser door takes a second, which only this part needs.
    from bench.moving import moving

    yield from moving(setting)


PARTS: Mapping[str, Part] = {
    classifying.PART: classifying.classifying,
    defending.PART: defending.defending,
    shrinking.PART: shrinking.shrinking,
    attacking.PART: attacking.attacking,
    "moves": _moving,
    evaluating.PART: evaluating.evaluating,
    browsing.PART: browsing.browsing,
}
"""Name -> what measures it."""
JSON, TABLES, FIGURE = "bench.json", "bench.md", "figure-9.svg"


def write(folder: Path, setting: Setting, rows: Sequence[Row], left_out: Sequence[LeftOut]) -> list[str]:
    """Writes what was found into ``folder``, and gives the names of the files.

    Raises:
        OSError: the folder cannot be made or written.
    """
    return write_rows(folder, heading(setting), circumstances(setting), rows, left_out)


def write_rows(
    folder: Path, title: str, facts: Mapping[str, Any], rows: Sequence[Row], left_out: Sequence[LeftOut]
) -> list[str]:
    """As ``write``, from the ``heading`` and the ``circumstances`` of another process."""
    chart = figure(rows, f"Seconds for {PHOTOS} photos of {facts['size']} px, {title}")
    files = {
        JSON: report_json(with_rows(facts, rows, left_out)),
        TABLES: f"# {title}\n\n{tables(rows, left_out)}\n",
    }
    if chart:
        files[FIGURE] = chart
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(files)
