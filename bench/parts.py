"""All parts of the bench by the name that the command line uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench import attacking, browsing, classifying, defending, evaluating
from bench.figure import PHOTOS, figure
from bench.interleaved import Row
from bench.report import machine, report, tables
from bench.setting import Found, LeftOut, Part, Setting
from story.export import report_json


def _moving(setting: Setting) -> Iterator[Found]:
    # Imported here because the browser door takes a second, which only this part needs.
    from bench.moving import moving

    yield from moving(setting)


PARTS: Mapping[str, Part] = {
    classifying.PART: classifying.classifying,
    defending.PART: defending.defending,
    attacking.PART: attacking.attacking,
    "moves": _moving,
    evaluating.PART: evaluating.evaluating,
    browsing.PART: browsing.browsing,
}
"""Name -> what measures it."""
JSON, TABLES, FIGURE = "bench.json", "bench.md", "figure-9.svg"


def heading(setting: Setting) -> str:
    """Where it was measured, and with which classifier."""
    return f"{setting.classifier.name} on {machine(setting.device)}"


def write(folder: Path, setting: Setting, rows: Sequence[Row], left_out: Sequence[LeftOut]) -> list[str]:
    """Writes what was found into ``folder``, and gives the names of the files.

    Raises:
        OSError: the folder cannot be made or written.
    """
    chart = figure(rows, f"Seconds for {PHOTOS} photos of {setting.size} px, {heading(setting)}")
    files = {
        JSON: report_json(report(setting, rows, left_out)),
        TABLES: f"# {heading(setting)}\n\n{tables(rows, left_out)}\n",
    }
    if chart:
        files[FIGURE] = chart
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(files)
