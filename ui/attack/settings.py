"""The attack as the visitor sets it: method, parameters, target, place."""

from __future__ import annotations

from functools import partial

import streamlit as st

from attacks.placement import PatchAttack
from attacks.universal_patch import UniversalPatch
from story.render import render, to_png
from story.step import Step
from ui.attack import patch_choice
from ui.browser import Placement, place_picker
from ui.frame.parameter_widgets import parameter_widget, parameter_widgets
from ui.session import selection
from ui.session.notices import notice
from ui.session.scene import Attempt, Scene
from ui.session.workbench import workbench

_CENTRE = ("x", "y")
"""Parameters of a patch that a click on the photo sets."""
_SAME_SIDE = 1e-4
"""Sides of the photo by which the browser's numbers may differ from ours."""


def switch(name: str) -> None:
    """Chooses another attack, and has it run."""
    st.session_state["attack"] = name
    selection.want_attack()


def attempt_as_set(scene: Scene, *, through: bool = False) -> Attempt:
    """The attack as the settings have it.

    Args:
        scene: what the sidebar says.
        through: whether the attacker may know the chosen defense, as they may on the defenses' pages. An
            attack that asks for no gradient has no use for it.

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


def show(scene: Scene) -> None:
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
    if attempt_as_set(scene).attack.aim == "targeted":
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
    attempt = attempt_as_set(scene)
    if isinstance(attempt.attack, UniversalPatch):
        patch_choice.show(scene)
        patch_choice.about(scene, attempt.attack)
    parameter_widgets("attack", methods[name], without=("patch", *_CENTRE))
    if isinstance(attempt.attack, PatchAttack):
        placing(scene, attempt.attack)
        for parameter in _CENTRE:
            parameter_widget("attack", methods[name], parameter)
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


def placing(scene: Scene, attack: PatchAttack) -> None:
    """The photo with the patch's outline to drag; a ready-made patch is seen in it, and can be shaped too."""
    box = attack.box(scene.size, scene.size)
    side = box.side / scene.size
    picture, degrees = None, 0.0
    widths: tuple[float, float] | None = None
    if isinstance(attack, UniversalPatch):
        picture = to_png(render(Step("patch", attack.pasted_patch.pixels[None], "photo")))
        degrees = attack.rotation
        own = attack.pasted_patch.share**0.5
        widths = (_scales(attack)[0] * own, min(_scales(attack)[1] * own, 1.0))
    place_picker(
        to_png(render(Step("photo", scene.x, "photo"))),
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
            values["scale"] = min(max(round(now.width / attack.pasted_patch.share**0.5, 2), low), high)
    for name, value in values.items():
        st.session_state[selection.parameter_key("attack", name)] = value
