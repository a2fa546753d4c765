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
from evaluation.one_photo.story import Story
from story.render import render, to_png
from story.step import Step
from ui.browser import Placement, place_picker
from ui.charts.figures import PLAIN, progress_figure
from ui.frame.verdict import percent
from ui.session import selection
from ui.session.notices import notice
from ui.session.parameters import parameter_widget, parameter_widgets
from ui.session.workbench import Attempt, Scene, workbench

_PLACE = ("x", "y")
"""Parameters of a patch that a click on the photo sets."""
_SAME_SIDE = 1e-4
"""Sides of the photo by which the browser's numbers may differ from ours."""
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


def switch(name: str) -> None:
    """Chooses another attack, and has it run."""
    st.session_state["attack"] = name
    selection.want_attack()


def chosen(scene: Scene, *, through: bool = False) -> Attempt:
    """The attack as the settings have it.

    Args:
        scene: what the sidebar says.
        through: whether the attacker may know the chosen defense, as he does on the defenses' pages. One who
            asks for no gradient has no use for it.

    Raises:
        ValueError: parameters that don't go together.
    """
    name = selection.method("attack")
    attack = selection.attacks()[name](**selection.chosen_values("attack")).fitted(scene.classifier)
    target = st.session_state.get("target") if attack.aim == "targeted" else None
    if target is not None and target not in scene.classifier.labels:
        notice(f"{target} is no label of this classifier, so the target is a random one.")
        st.session_state["target"] = target = None
    threat = selection.threat()
    if not (through and threat.knows) or attack.targeted == "none":
        return Attempt(name, attack, target)
    return Attempt(name, attack, target, threat, selection.defense()[0])


# --- settings ---------------------------------------------------------------------------------------------


def settings(scene: Scene) -> None:
    """Method, parameters, target, place, and the button that runs it."""
    methods = selection.attacks()
    st.selectbox(
        "Method",
        list(methods),
        format_func=lambda name: methods[name].title,
        key="attack",
        persist_state="session",
    )
    name = selection.method("attack")
    st.caption(methods[name].source)
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
    parameter_widgets("attack", methods, name, without=_PLACE)
    attempt = chosen(scene)
    if isinstance(attempt.attack, UniversalPatch) and attempt.attack.card is not None:
        st.caption(_about(attempt.attack.card, scene))
    if isinstance(attempt.attack, PatchAttack):
        placing(scene, attempt.attack)
        for parameter in _PLACE:
            parameter_widget("attack", methods, name, parameter)
    if not attempt.instant:
        has_run = selection.ATTACK_WANTED in st.session_state or workbench().has_run(scene, attempt)
        button.button(
            "Run again" if has_run else "Run",
            icon=":material/play_arrow:",
            type="secondary" if has_run else "primary",
            width="stretch",
            key="run_attack",
            on_click=selection.want_attack,
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


def placing(scene: Scene, attack: PatchAttack) -> None:
    """The photo with the patch's outline to drag; a ready-made patch is seen in it, and can be shaped too."""
    box = attack.box(scene.size, scene.size)
    side = box.side / scene.size
    picture, degrees = None, 0.0
    widths: tuple[float, float] | None = None
    if isinstance(attack, UniversalPatch):
        picture = to_png(render(Step("patch", attack.chosen.pixels[None], "photo")))
        degrees = attack.rotation
        own = attack.chosen.share**0.5
        widths = (_scales(attack)[0] * own, min(_scales(attack)[1] * own, 1.0))
    place_picker(
        to_png(render(Step("photo", scene.photo.working(scene.size), "photo"))),
        patch=(box.left / scene.size, box.top / scene.size, side, side),
        key="attack_place",
        on_place=partial(_move, attack, side),
        picture=picture,
        degrees=degrees,
        widths=widths,
    )


def _scales(attack: UniversalPatch) -> tuple[float, float]:
    """The range of the parameter ``scale``."""
    scale = attack.parameter("scale")
    assert scale.low is not None and scale.high is not None
    return scale.low, scale.high


def _move(attack: PatchAttack, side: float, now: Placement) -> None:
    """Puts a new placement into the parameters; only a side that has changed moves the scale."""
    values = {"x": round(now.left + now.width / 2, 4), "y": round(now.top + now.width / 2, 4)}
    if isinstance(attack, UniversalPatch):
        values["rotation"] = now.degrees
        if abs(now.width - side) > _SAME_SIDE:
            low, high = _scales(attack)
            values["scale"] = min(max(round(now.width / attack.chosen.share**0.5, 2), low), high)
    for name, value in values.items():
        st.session_state[selection.parameter_key("attack", name)] = value


# --- running ----------------------------------------------------------------------------------------------


def result(scene: Scene, *, with_button: bool, through: bool = False) -> Result | None:
    """The attack's result on this photo: the present one, else the last good one, else None.

    Draws progress while it runs, and a sentence where it has not run.

    Args:
        scene: what the sidebar says.
        with_button: whether that sentence needs a button beside it, for pages without the settings.
        through: as of ``chosen``.
    """
    bench, attempt = workbench(), chosen(scene, through=through)
    interrupted = st.session_state.pop(_RUNNING, False)
    wanted = st.session_state.pop(selection.ATTACK_WANTED, False)
    if wanted and not attempt.instant:
        return Result(attempt, _run(scene, attempt), present=True)
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
    place, beside = st.columns([4, 1], vertical_alignment="center") if with_button else (st.container(), None)
    place.info(text, icon=":material/hourglass_empty:")
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
