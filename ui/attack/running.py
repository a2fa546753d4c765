"""The attack runs, with progress and Cancel, and its result for every page."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from attacks import Report
from evaluation.one_photo.story import Story
from ui.attack.settings import attempt_as_set
from ui.charts.attack import progress_figure
from ui.charts.axes import PLAIN
from ui.session import selection
from ui.session.notices import notice
from ui.session.scene import Attempt, Scene
from ui.session.workbench import workbench

_REDRAW, _REDRAW_CURVE = 0.25, 2.0
"""Seconds between two drawings of the progress, and of its curve, which the browser builds anew each time."""
_RUNNING = "attack_running"


@dataclass(frozen=True, eq=False)
class Result:
    """The attack that is shown.

    Attributes:
        attempt: which one.
        story: its story, without a defense.
        present: whether it is what the settings say now.
    """

    attempt: Attempt
    story: Story
    present: bool


def result(scene: Scene, *, with_button: bool, through: bool = False) -> Result | None:
    """The attack's result on this photo: the present one, else the last good one, else None.

    Draws progress while it runs, and a sentence where it has not run.

    Args:
        scene: what the sidebar says.
        with_button: whether that sentence needs a button beside it, for pages without the settings.
        through: as of ``attempt_as_set``.
    """
    bench, attempt = workbench(), attempt_as_set(scene, through=through)
    interrupted = st.session_state.pop(_RUNNING, False)
    wanted = st.session_state.pop(selection.ATTACK_WANTED, False)
    if wanted and not attempt.instant:
        return Result(attempt, _attacked(scene, attempt), present=True)
    if attempt.instant or bench.has_run(scene, attempt):
        return Result(attempt, bench.story(scene, attempt), present=True)
    if interrupted:
        notice("The attack was stopped, because something else was changed while it ran.")
    last = bench.last(scene, knows=attempt.threat.knows) or bench.last(scene)
    _offer(attempt, last, with_button)
    return Result(last, bench.story(scene, last), present=False) if last else None


def _offer(attempt: Attempt, last: Attempt | None, with_button: bool) -> None:
    text = f"{_named(attempt)} has not run with these settings on this photo yet."
    if last:
        text += f" Below is the last result, of {_named(last)}."
    words, beside = st.columns([4, 1], vertical_alignment="center") if with_button else (st.container(), None)
    words.info(text, icon=":material/hourglass_empty:")
    if beside:
        beside.button(
            "Run it",
            icon=":material/play_arrow:",
            type="primary",
            width="stretch",
            on_click=selection.want_attack,
        )


def _named(attempt: Attempt) -> str:
    """The attack, and what it goes through."""
    if attempt.against is None:
        return attempt.attack.title
    return f"{attempt.attack.title} through {attempt.against.title} ({attempt.threat.title})"


def _attacked(scene: Scene, attempt: Attempt) -> Story:
    """Runs the attack with its progress; Streamlit ends this very run when the visitor does anything else."""
    st.session_state[_RUNNING] = True
    box = st.empty()
    with box.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            bar = st.progress(0.0, f"{attempt.attack.title}: starting")
            st.button("Cancel", icon=":material/close:", key="cancel_attack", on_click=_cancelled)
        curve = st.empty()
    targeted, watched = attempt.attack.aim == "targeted", workbench().watched(scene, attempt)
    seen: list[float] = []
    drawn = curve_drawn = 0.0

    def show(now: Report) -> None:
        nonlocal drawn, curve_drawn
        seen.append(float(now.probability[0]))
        if time.monotonic() - drawn < _REDRAW:
            return
        drawn = time.monotonic()
        bar.progress(now.done / now.total, f"{attempt.attack.title}: iteration {now.done} of {now.total}")
        if drawn - curve_drawn < _REDRAW_CURVE:
            return
        curve_drawn = drawn
        figure = progress_figure(seen, now.total, watched, targeted)
        curve.plotly_chart(figure, config=PLAIN, key=f"progress_{now.done}")

    try:
        story = workbench().story(scene, attempt, progress=show)
    except Exception:
        # Not where the visitor ended it: then the next run is to know.
        st.session_state.pop(_RUNNING, None)
        box.empty()
        raise
    st.session_state.pop(_RUNNING, None)
    box.empty()
    return story


def _cancelled() -> None:
    st.session_state.pop(_RUNNING, None)
    notice("Cancelled. What you see is what you had before.")
