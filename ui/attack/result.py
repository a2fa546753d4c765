"""What an attack did, on the page: verdict, pictures, bars, iterations, downloads."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from attacks.placement import PatchAttack
from attacks.universal_patch import Patch, UniversalPatch
from evaluation.one_photo.story import Story
from story import Step, by_name
from story.export import attacked_npz
from story.render import TARGET_COLOUR, TRUE_COLOUR, render, to_png
from ui.attack import patch_library, undo
from ui.attack.running import Result
from ui.browser import panels_of, scrubber, story_viewer
from ui.frame.doubt import show_verdict
from ui.frame.verdict import badge_html, bars_html, meanings, percent
from ui.session.iterates import Iterates
from ui.session.notices import notice
from ui.session.scene import Scene
from ui.session.workbench import workbench


def show_result(scene: Scene, result: Result) -> None:
    """All of it, from the verdict down to the downloads."""
    story = result.story
    show_verdict(scene, story, badge_html(story))
    story_viewer(panels_of(_pictures(story)), key="attack_story", start_step="attacked", side_by_side=True)
    assert story.attacked is not None
    meaning = meanings(story)
    before, after = st.columns(2, gap="medium")
    before.html(bars_html("Before", story.clean.top, meaning))
    after.html(bars_html("After", story.attacked.top, meaning))
    iterates = workbench().iterates(scene, result.attempt)
    if iterates is None or len(iterates.pictures) < 2:
        _downloads(scene, result)
        return
    way, aside = st.columns([3, 2], gap="medium")
    with way:
        st.subheader("The way there", anchor=False)
        _scrubber(iterates, targeted=story.target is not None)
    with aside:
        _downloads(scene, result)


def _pictures(story: Story) -> list[Step]:
    """The photo, the attacked photo, and their signed difference."""
    steps = story.attack_steps
    return [
        by_name(steps, "photo"),
        replace(by_name(steps, "result"), name="attacked"),
        replace(by_name(steps, "perturbation"), name="signed difference"),
    ]


def _scrubber(iterates: Iterates, targeted: bool) -> None:
    meaning = "the target" if targeted else "the label to leave"
    captions = [
        f"Iteration {number} of {iterates.numbers[-1]}: {iterates.watched} {percent(iterates.series[number])}"
        for number in iterates.numbers
    ]
    scrubber(
        iterates.pictures,
        captions,
        key="attack_iterations",
        label="Iterations of the attack",
        series=iterates.series,
        at=iterates.numbers,
        series_label=f"Probability of {iterates.watched}, {meaning}",
        colour=TARGET_COLOUR if targeted else TRUE_COLOUR,
    )


def _downloads(scene: Scene, result: Result) -> None:
    story = result.story
    assert story.attacked is not None and story.trace is not None
    name = f"{scene.photo.name.rsplit('.', 1)[0]}-{result.attempt.name}"
    picture = to_png(render(by_name(story.attack_steps, "result")))
    st.subheader("Take it with you", anchor=False)
    with st.container(horizontal=True):
        st.download_button(
            "Attacked photo (PNG)",
            picture,
            f"{name}.png",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
            help="Lossless, but rounded to 8 bits.",
        )
        st.download_button(
            "Exact numbers (NPZ)",
            partial(attacked_npz, story.clean.x, story.attacked.x, story.trace.mask),
            f"{name}.npz",
            "application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            help="The arrays photo, attacked and mask as 32-bit floats from 0 to 1.",
        )
    if isinstance(result.attempt.attack, PatchAttack) and not isinstance(
        result.attempt.attack, UniversalPatch
    ):
        st.button(
            "Patch to the library",
            icon=":material/bookmark_add:",
            key="keep_attack_patch",
            on_click=_keep,
            args=(story, result.attempt.attack),
        )
    undo.show(scene, result)


def _keep(story: Story, attack: PatchAttack) -> None:
    assert story.attacked is not None
    pixels = attack.box(*story.attacked.x.shape[2:]).of(story.attacked.x)[0].cpu().clone()
    target = None if story.target is None else story.labels[story.target]
    patch_library.take(target or attack.title, Patch(pixels, attack.covers, target))
    notice("The patch is in your library, and from now on the attack that is chosen.")
