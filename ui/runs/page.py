"""A finished run: who saves how many, why not the others, and the photos themselves."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import streamlit as st

from evaluation.many_photos.causes import MEANINGS
from evaluation.many_photos.rows import Wanted
from evaluation.many_photos.run_folder import ROWS, Run
from evaluation.many_photos.summary import COLUMNS, Summary, summarise
from ui.charts.axes import SAVEABLE
from ui.charts.run import charts
from ui.runs.gallery import gallery
from ui.runs.opening import leave
from ui.runs.selected_run import SelectedRun, fact_pairs, matrix_rows, read_run, truth_of
from ui.session.notices import calmly, plain
from ui.session.scene import Scene

_MATRIX = "failures_matrix"


def show(scene: Scene, run: Run) -> None:
    """Everything about the run."""
    with calmly():
        leave(scene)
        changed = (run.folder / ROWS).stat().st_mtime_ns
        selected = read_run(run.folder, changed)
        _facts(selected)
        labels = st.multiselect(
            "Only photos of",
            selected.rows.words("label"),
            key=f"failures_labels.{run.folder.name}",
            persist_state="session",
            placeholder="all labels",
            help="Everything below is about these photos.",
        )
        summary = _summary(run.folder, changed, tuple(labels))
        attack, defense = _matrix(selected, summary)
        _charts(selected, summary, attack)
        st.subheader("The photos", anchor=False)
        gallery(selected, summary, tuple(labels), attack, defense)


@st.cache_data(max_entries=16, show_spinner=False)
def _summary(folder: Path, changed: int, labels: tuple[str, ...]) -> Summary:
    rows = read_run(folder, changed).rows
    numbers = rows.numbers(Wanted(labels=labels))
    part = rows.table.select(COLUMNS)
    return summarise([part.take(pa.array(numbers)) if labels else part])


def _facts(selected: SelectedRun) -> None:
    st.caption(" · ".join(f"{name}: {plain(text)}" for name, text in fact_pairs(selected)[:4]))
    st.caption(f"Attacks leave {truth_of(selected.settings)}.")


def _matrix(selected: SelectedRun, summary: Summary) -> tuple[str, str]:
    """Defenses down, attacks across, right labels inside; the attack and defense of the pressed cell."""
    rows = matrix_rows(selected, summary)
    attacks = selected.cells("attack")
    table = st.dataframe(
        rows,
        key=f"{_MATRIX}.{selected.run.folder.name}",
        hide_index=True,
        width="stretch",
        height="content",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={"defense": st.column_config.TextColumn("Defense", pinned=True)}
        | {name: st.column_config.TextColumn(selected.name("attack", name)) for name in attacks},
        alt="Share of right labels by defense and attack",
    )
    st.caption(
        "Right labels in % with their 95 % interval (Wilson). A rejected photo counts as not right. Press a "
        "cell to see its photos."
    )
    cells = table["selection"]["cells"]
    attack, defense = attacks[-1], selected.cells("defense")[-1]
    if cells:
        row, column = cells[0]
        defense = selected.cells("defense")[row]
        attack = column if column in attacks else attack
    return attack, defense


def _charts(selected: SelectedRun, summary: Summary, attack: str) -> None:
    figures = charts(summary.cells, selected.settings["attacks"], selected.settings["defenses"], attack)
    for tab, (title, figure) in zip(st.tabs(list(figures)), figures.items(), strict=True):
        with tab:
            if title == "Outcomes and causes":
                name = plain(selected.name("attack", attack))
                st.caption(f"{name[:1].upper()}{name[1:]}. Press a cell above for another.")
            st.plotly_chart(figure, config=SAVEABLE, key=f"failures_chart_{title}", alt=title)
    with st.popover("What the causes mean", icon=":material/help:"):
        st.markdown("\n".join(f"* **{cause}**: {words}" for cause, words in MEANINGS.items()))
        st.caption(
            "The first that holds counts. The bounds for unsure and found are round numbers that seemed "
            "sensible, not measured ones."
        )
    if "λ and accuracy" not in figures:
        st.caption(
            "λ against accuracy is drawn of a run that has a method at several λ: "
            "`--defense slgs:lam=1.5 --defense slgs:lam=2.3`"
        )
