"""The attack as the visitor chose it: settings, run with progress and Cancel, result for every page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import streamlit as st

import classifiers
from attacks import Report
from attacks.placement import PatchAttack
from attacks.universal_patch import PatchCard, UniversalPatch
from evaluation.run import Story
from story.render import render, to_png
from story.step import Step
from ui import state
from ui.browser import place_picker
from ui.calm import notice
from ui.compute import Attempt, Scene, workbench
from ui.figures import PLAIN, progress_figure
from ui.parameters import parameter_widget, parameter_widgets
from ui.verdict import percent

_PLACE = ("x", "y")
"""Parameters of a patch that a click on the photo sets."""
_REDRAW, _REDRAW_CURVE = 0.25, 2.0
"""Seconds between two drawings of the progress, and of its curve, which the browser builds anew each time."""
_WANTED, _RUNNING = "attack_wanted", "attack_running"


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


def want() -> None:
    """Has the chosen attack run in the run that follows."""
    st.session_state[_WANTED] = True


def switch(name: str) -> None:
    """Chooses another attack, and has it run."""
    st.session_state["attack"] = name
    want()


def chosen(scene: Scene) -> Attempt:
    """The attack as the settings have it.

    Raises:
        ValueError: parameters that don't go together.
    """
    name = state.method("attack")
    attack = state.ATTACK_METHODS[name](**state.chosen_values("attack")).fitted(scene.classifier)
    target = st.session_state.get("target") if attack.aim == "targeted" else None
    if target is not None and target not in scene.classifier.labels:
        notice(f"{target} is no label of this classifier, so the target is a random one.")
        st.session_state["target"] = target = None
    return Attempt(name, attack, target)


# --- settings ---------------------------------------------------------------------------------------------


def settings(scene: Scene) -> None:
    """Method, parameters, target, place, and the button that runs it."""
    st.selectbox(
        "Method",
        list(state.ATTACK_METHODS),
        format_func=lambda name: state.ATTACK_METHODS[name].title,
        key="attack",
        persist_state="session",
    )
    name = state.method("attack")
    st.caption(state.ATTACK_METHODS[name].source)
    if chosen(scene).attack.aim == "targeted":
        st.selectbox(
            "Target",
            scene.classifier.labels,
            index=None,
            placeholder="a random label",
            key="target",
            persist_state="session",
            help="The label that the classifier shall say. Type to search; without one it is random.",
        )
    button = st.container()
    parameter_widgets("attack", state.ATTACK_METHODS, name, without=_PLACE)
    attempt = chosen(scene)
    if isinstance(attempt.attack, UniversalPatch):
        st.caption(_about(attempt.attack.card, scene))
    if isinstance(attempt.attack, PatchAttack):
        _place(scene, attempt.attack)
        for parameter in _PLACE:
            parameter_widget("attack", state.ATTACK_METHODS, name, parameter)
    if not attempt.instant:
        has_run = _WANTED in st.session_state or workbench().has_run(scene, attempt)
        button.button(
            "Run again" if has_run else "Run",
            icon=":material/play_arrow:",
            type="secondary" if has_run else "primary",
            width="stretch",
            key="run_attack",
            on_click=want,
        )


def _about(card: PatchCard, scene: Scene) -> str:
    """What a ready-made patch is, and how far it can be expected to work here."""
    said = f"Says {card.target}, learned for {100 * card.share:g} % of the area"
    if card.classifier == scene.classifier.identity:
        return (
            f"{said}; fools this classifier on {percent(card.everything['val']['fooled'])} of unseen photos."
        )
    learned_on = card.classifier.partition(":")[0]
    return f"{said} on another classifier ({classifiers.title(learned_on)}), so it may do nothing here."


def _place(scene: Scene, attack: PatchAttack) -> None:
    box = attack.box(scene.size, scene.size)
    side = box.side / scene.size
    picture = render(Step("photo", scene.photo.working(scene.size), "photo"))
    place_picker(
        to_png(picture),
        patch=(box.left / scene.size, box.top / scene.size, side, side),
        key="attack_place",
        on_place=partial(_move, side),
    )


def _move(side: float, left: float, top: float) -> None:
    for name, begin in zip(_PLACE, (left, top), strict=True):
        st.session_state[state.parameter_key("attack", name)] = round(begin + side / 2, 4)


# --- running ----------------------------------------------------------------------------------------------


def result(scene: Scene, *, with_button: bool) -> Result | None:
    """The attack's result on this photo: the present one, else the last good one, else None.

    Draws progress while it runs, and a sentence where it has not run.

    Args:
        scene: what the sidebar says.
        with_button: whether that sentence needs a button beside it, for pages without the settings.
    """
    bench, attempt = workbench(), chosen(scene)
    interrupted = st.session_state.pop(_RUNNING, False)
    wanted = st.session_state.pop(_WANTED, False)
    if wanted and not attempt.instant:
        return Result(attempt, _run(scene, attempt), present=True)
    if attempt.instant or bench.has_run(scene, attempt):
        return Result(attempt, bench.story(scene, attempt), present=True)
    if interrupted:
        notice("The attack was stopped, because something else was changed while it ran.")
    last = bench.last(scene)
    _offer(attempt, last, with_button)
    return Result(last, bench.story(scene, last), present=False) if last else None


def _offer(attempt: Attempt, last: Attempt | None, with_button: bool) -> None:
    text = f"{attempt.attack.title} has not run with these settings on this photo yet."
    if last:
        text += f" Below is the last result, of {last.attack.title}."
    place, beside = st.columns([4, 1], vertical_alignment="center") if with_button else (st.container(), None)
    place.info(text, icon=":material/hourglass_empty:")
    if beside:
        beside.button("Run it", icon=":material/play_arrow:", type="primary", width="stretch", on_click=want)


def _run(scene: Scene, attempt: Attempt) -> Story:
    """Runs the attack with its progress; Streamlit ends this very run when the visitor does anything else."""
    st.session_state[_RUNNING] = True
    place = st.empty()
    with place.container(border=True):
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
        place.empty()
        raise
    st.session_state.pop(_RUNNING, None)
    place.empty()
    return story


def _cancelled() -> None:
    st.session_state.pop(_RUNNING, None)
    notice("Cancelled. What you see is what you had before.")
