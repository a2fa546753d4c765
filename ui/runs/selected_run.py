"""The run that the page Failures shows: what is read of it, and what it is called on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from attacks import ATTACKS
from defenses import DEFENSES
from evaluation.many_photos import run_library
from evaluation.many_photos.columns import LEFT_OUT, NONE, UNREAD
from evaluation.many_photos.evaluate import PREDICTED, TRUE_LABEL
from evaluation.many_photos.rows import Rows
from evaluation.many_photos.run_folder import SETTINGS, TRUTH, Run
from evaluation.many_photos.summary import Summary
from evaluation.measures.intervals import Share
from photos import Source
from ui.charts.run import name_of, parameter_words
from ui.frame.verdict import SIGNS
from ui.session.notices import sentence


@dataclass(frozen=True, eq=False)
class SelectedRun:
    """A run as the page has read it.

    Attributes:
        run: where it lies.
        settings: of ``run.json``.
        rows: all of them.
        classifier: the name of the one that was used.
    """

    run: Run
    settings: Mapping[str, Any]
    rows: Rows
    classifier: str

    def name(self, kind: str, row_name: str) -> str:
        """What an attack or a defense of the rows is called on the screen."""
        return name_of(row_name, self.settings[f"{kind}s"], ATTACKS if kind == "attack" else DEFENSES)

    def cells(self, kind: str) -> list[str]:
        """The names of the attacks or defenses in the rows, "none" first."""
        return [NONE, *self.settings[f"{kind}s"]]


@st.cache_resource(max_entries=2, show_spinner="Reading the run …")
def read_run(folder: Path, changed: int) -> SelectedRun:
    """The run in ``folder``, read anew when the file of its rows has ``changed``."""
    del changed
    record = run_library.facts_of(Run(folder))
    return SelectedRun(Run(folder), record["settings"], Rows.read(folder), str(record.get("classifier", "")))


@st.cache_resource(max_entries=4, show_spinner=False)
def photos_of(folder: Path, changed: int) -> Source | str:
    """The run's photos, or the sentence that says why they are not there."""
    del changed
    try:
        return run_library.photos_of(Run(folder))
    except ValueError as error:
        return sentence(error)
    except OSError as error:
        return f"The photos cannot be read: {error.strerror or error}."


def changed(run: Run) -> int:
    """When its settings were written."""
    return (run.folder / SETTINGS).stat().st_mtime_ns


def fact_pairs(selected: SelectedRun) -> list[tuple[str, str]]:
    """What was run, as pairs of a name and a value; the first four are the most important."""
    settings = selected.settings
    total = min(settings["photos"], settings["limit"] or settings["photos"])
    pairs = [
        ("Photos", f"{total} of {settings['photos']}"),
        ("Classifier", selected.classifier or settings["classifier"]),
        ("Working size", f"{settings['size']} px"),
        ("Seed", str(settings["seed"])),
        ("Target", settings["target"] or "another label at random for each photo"),
        ("Attacks leave", truth_of(settings)),
    ]
    for kind in ("attack", "defense"):
        for name, facts in settings[f"{kind}s"].items():
            registry = ATTACKS if kind == "attack" else DEFENSES
            words = parameter_words(facts["name"], facts["parameters"], registry)
            pairs.append((selected.name(kind, name), words))
    return pairs


def truth_of(settings: Mapping[str, Any]) -> str:
    """By which rule the attacks were made; runs that are silent were made by the older one."""
    if settings.get(TRUTH, PREDICTED) != TRUE_LABEL:
        return "the predicted label, also of photos that were wrong before the attack"
    if settings["attack_wrong"]:
        return "the true label, also of photos that were wrong before the attack"
    return (
        "the true label; a photo that is wrong without an attack, behind the same defense, is not attacked "
        "and counts as wrong"
    )


def matrix_rows(selected: SelectedRun, summary: Summary) -> list[dict[str, str]]:
    """Defenses down, attacks across, right labels in % with their interval inside."""
    accuracies = {(cell.attack, cell.defense): cell.accuracy for cell in summary.cells}
    return [
        {"defense": selected.name("defense", defense)}
        | {attack: _percent(accuracies.get((attack, defense))) for attack in selected.cells("attack")}
        for defense in selected.cells("defense")
    ]


def _percent(share: Share | None) -> str:
    if share is None or share.share is None:
        return "–"
    return f"{100 * share.share:.1f} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def said(row: Mapping[str, Any]) -> str:
    """What comes out of a row, in a few words."""
    sign = SIGNS.get(row["outcome"], "?")
    if row["outcome"] in (UNREAD, LEFT_OUT):
        return f"{sign} {row['outcome']}"
    sure = "" if row["probability"] is None else f" {100 * row['probability']:.0f} %"
    return f"{sign} {row['predicted'] or 'rejected'}{sure}"
