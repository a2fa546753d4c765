"""What the page of Heat and Blur shows below its steps: the heat before and after the attack."""

from __future__ import annotations

from typing import Any

import streamlit as st

from defenses import HeatAndBlur
from evaluation.heating import Heats, Survival, heats, survival
from evaluation.run import Story
from explain import GRAD_CAM, propagates
from photos import gallery, gallery_photo
from story import Step
from story.render import render, to_png
from ui.attacking import Result
from ui.calm import sentence
from ui.compute import Background, Scene, workbench
from ui.figures import PLAIN, survival_figure

_POLL = 0.5
"""Seconds between two looks at how far the gallery is."""
_ASKED, _SEEN = "survival_asked", "survival_seen"


def more(scene: Scene, result: Result | None, story: Story) -> None:
    """Everything below the steps."""
    defense = story.defense
    assert isinstance(defense, HeatAndBlur)
    if not propagates(scene.classifier):
        st.info(GRAD_CAM, icon=":material/info:")
    st.subheader("Does the object survive in the heat?", anchor=False)
    if result is None or story.attacked is None:
        st.markdown("Choose the attacked photo to see its heat beside that of the clean photo.")
        return
    attacked = story.attacked.x
    found = workbench().once(
        ("heats", scene.key, result.attempt.key, defense),
        lambda: heats(story.clean.x, attacked, scene.classifier, defense),
    )
    _side_by_side(found)
    _gallery(scene, result, defense)


def _side_by_side(found: dict[str, Heats]) -> None:
    st.markdown(
        "The heat of the clean and of the attacked photo, for each start of the relevance. A correlation of "
        "1 means that the attack has not moved it at all; near 0, nothing of it has survived."
    )
    for column, (start, kept) in zip(st.columns(len(found), gap="large"), found.items(), strict=True):
        column.markdown(f"**{start}**: correlation **{kept.correlation:.2f}**")
        pictures = column.columns(2, gap="small")
        for place, name, heat in (
            (pictures[0], "clean", kept.clean),
            (pictures[1], "attacked", kept.attacked),
        ):
            place.image(
                to_png(render(Step("heat", heat, "heat"))),
                width="stretch",
                output_format="PNG",
                caption=name,
                alt=f"Heat of the {name} photo, {start}",
            )


# --- the gallery ------------------------------------------------------------------------------------------


def _gallery(scene: Scene, result: Result, defense: HeatAndBlur) -> None:
    names = gallery()
    st.subheader("On every photo of the gallery", anchor=False)
    attempt = result.attempt
    st.markdown(
        "The same attack on each of them, towards a random label where it needs one. The dotted line is what "
        "two different clean photos have in common: only what lies above it is the object's own."
    )
    key: tuple[Any, ...] = ("survival", scene.size, *scene.key[2:], attempt.key, defense)
    if st.button("Measure", icon=":material/play_arrow:", key="measure_survival"):
        st.session_state[_ASKED] = key
    if st.session_state.get(_ASKED) != key:
        return
    photos = {name: gallery_photo(name) for name in names}
    work = workbench().aside(
        key,
        lambda: survival(photos, scene.classifier, attempt.attack, defense, size=scene.size),
        len(photos),
    )
    st.fragment(_chart, run_every=None if work.finished else _POLL)(work)


def _chart(work: Background[Survival]) -> None:
    if not work.finished:
        st.progress(len(work.parts) / work.total, f"{len(work.parts)} of {work.total} photos")
    elif st.session_state.get(_SEEN) != id(work):
        # The last look of the fragment: the page need not poll any more.
        st.session_state[_SEEN] = id(work)
        st.rerun()
    if work.error is not None:
        text = "This attack failed on a photo of the gallery."
        st.error(
            sentence(work.error) if isinstance(work.error, ValueError) else text, icon=":material/error:"
        )
    if work.parts:
        st.plotly_chart(
            survival_figure(work.parts),
            config=PLAIN,
            key="survival",
            alt="Correlation of the heat before and after the attack, for each photo and start",
        )
