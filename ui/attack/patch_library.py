"""The patch library: one's own patches and ready-made ones, anywhere on the photo, on file and on paper."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from attacks.placement import PatchAttack
from attacks.universal_patch import Patch, UniversalPatch
from evaluation.one_photo.story import Story
from explain import object_map, share_inside
from photos import MAX_BYTES, PhotoError, read_patch_file
from story import Step, by_name
from story.export import patch_npz
from story.render import Picture, render, to_png
from story.sheet import LARGEST, SMALLEST, print_pdf, print_png
from ui.attack import patch_choice, settings
from ui.attack.patch_choice import ATTACK
from ui.attack.running import Result
from ui.browser import panels_of, story_viewer
from ui.frame.doubt import show_verdict
from ui.frame.parameter_widgets import parameter_widget
from ui.frame.verdict import badge_html, percent
from ui.session import selection
from ui.session.notices import notice, sentence
from ui.session.scene import Scene
from ui.session.workbench import workbench

_TYPES = ["png", "npz", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"]
_SHARE = 0.1
"""Of the photo's area, for a patch whose file says nothing of it."""
_PORTRAIT = 120
"""Width of the patch's picture, px."""
_COVERS, _TOUCHES = 0.5, 0.1
"""Shares of the class activation map from which on a patch covers the object, or lies on a part of it."""


def present() -> bool:
    """Whether there is any patch; then the page's attack is the one that puts it on the photo."""
    if ATTACK not in selection.attacks():
        return False
    st.session_state["attack"] = ATTACK
    return True


def upload() -> None:
    """Files become patches of one's own."""
    st.file_uploader(
        "Bring patches",
        type=_TYPES,
        accept_multiple_files=True,
        max_upload_size=4 * MAX_BYTES // 1_000_000,
        key="patch_files",
        on_change=_take,
        help="Square pictures, or NPZ files with an array patch, (3, side, side) from 0 to 1. They stay in "
        "this visit: they are not stored, and links don't carry them.",
    )


def _take() -> None:
    """Called when files have come or were taken away; a bad one changes nothing."""
    seen = st.session_state.setdefault("patch_files_seen", set())
    for file in st.session_state["patch_files"]:
        if file.file_id in seen:
            continue
        seen.add(file.file_id)
        try:
            patch_file = read_patch_file(file.getvalue(), file.name)
        except PhotoError as error:
            notice(sentence(error))
            continue
        take(patch_file.name, Patch(patch_file.pixels, patch_file.share or _SHARE, patch_file.target))


def take(name: str, patch: Patch) -> str:
    """Keeps a patch among one's own and chooses it; gives the name under which it is kept."""
    kept = workbench().keep_patch(name, patch)
    st.session_state["attack"] = ATTACK
    st.session_state[selection.parameter_key("attack", "patch")] = kept
    return kept


def shaping(scene: Scene) -> None:
    """Which patch, and by numbers where, how large and at what angle."""
    patch_choice.show(scene)
    attack = settings.attempt_as_set(scene).attack
    assert isinstance(attack, UniversalPatch)
    _portrait(attack)
    patch_choice.about(scene, attack)
    for name in ("x", "y", "scale", "rotation"):
        parameter_widget("attack", selection.attacks()[ATTACK], name, typed=True)


def placing(scene: Scene) -> None:
    """The photo, and the patch on it to drag."""
    attack = settings.attempt_as_set(scene).attack
    assert isinstance(attack, PatchAttack)
    settings.placing(scene, attack)


def _portrait(attack: UniversalPatch) -> None:
    patch = attack.pasted_patch
    side = patch.pixels.shape[-1]
    meant = f"for “{patch.target}”, " if patch.target else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.image(
            to_png(_picture(patch)), width=_PORTRAIT, output_format="PNG", alt=f"The patch {attack.patch}"
        )
        with st.container(width="stretch"):
            st.caption(f"{meant}{side} × {side} px, {100 * patch.share:.3g} % of the area at scale 1")
            if attack.patch in workbench().patches:
                st.button(
                    "Take away",
                    icon=":material/delete:",
                    key="drop_patch",
                    on_click=_drop,
                    args=(attack.patch,),
                )


def _drop(name: str) -> None:
    workbench().drop_patch(name)
    key = selection.parameter_key("attack", "patch") if ATTACK in selection.attacks() else None
    if key is None:
        st.session_state["attack"] = next(iter(selection.attacks()))
    else:
        st.session_state.pop(key, None)


def show_result(scene: Scene, result: Result) -> None:
    """Does it fool the classifier there, and does it cover the object?"""
    story, attack = result.story, result.attempt.attack
    assert isinstance(attack, PatchAttack) and story.trace is not None and story.trace.mask is not None
    show_verdict(scene, story, badge_html(story))
    looked = _looked(scene, story)
    mask = story.trace.mask
    share, empty = float(share_inside(looked.map, mask)), not bool(looked.map.any())
    st.markdown(covering_words(story.labels[story.source], share, float(mask.mean()), empty=empty))
    under = looked.map * mask
    panels = [
        replace(by_name(story.attack_steps, "result"), name="photo with the patch"),
        looked,
        replace(
            looked,
            name="under the patch",
            map=under,
            note="What of it the patch takes away.",
            empty="the patch covers nothing of it",
        ),
    ]
    story_viewer(panels_of(panels), key="library_story", side_by_side=True)


def _looked(scene: Scene, story: Story) -> Step:
    """The class activation map of the clean photo."""

    def ask() -> Step:
        activation = object_map(story.clean.x, scene.classifier)
        note = (
            f"Where the clean photo says {story.labels[story.source]}, as far as it is above the map's mean."
        )
        return Step(
            "class activation map",
            activation,
            "heat",
            note,
            own_scale=True,
            empty="the map is the same everywhere",
        )

    return workbench().once(("cam", scene.key), ask)


def covering_words(label: str, share: float, area: float, *, empty: bool = False) -> str:
    """Whether a patch on ``area`` of the photo covers the object, from the ``share`` of the map under it."""
    if empty:
        return f"Where **{label}** is cannot be said: its class activation map is the same everywhere."
    if share >= _COVERS:
        verdict = "The patch **covers the object**: what it does is in part that it hides it."
    elif share >= _TOUCHES:
        verdict = "The patch lies **on a part of the object**."
    else:
        verdict = "The patch **leaves free what speaks for the object**."
    return (
        f"{verdict} On {percent(area)} of the area it covers {percent(share)} of the class activation map of "
        f"“{label}” on the clean photo."
    )


def _picture(patch: Patch) -> Picture:
    return render(Step("patch", patch.pixels[None], "photo"))


def takeaway(result: Result) -> None:
    """The patch that is shown as files and on paper."""
    attack = result.attempt.attack
    assert isinstance(attack, UniversalPatch)
    files(attack.patch, attack.pasted_patch)


def files(name: str, patch: Patch) -> None:
    """A patch as PNG and NPZ, and on paper."""
    picture = _picture(patch)
    stem = name.replace(" ", "-")
    st.subheader("Take it with you", anchor=False)
    with st.container(horizontal=True):
        st.download_button(
            "Patch (PNG)",
            to_png(picture),
            f"{stem}.png",
            "image/png",
            icon=":material/download:",
            on_click="ignore",
            help="Lossless, but rounded to 8 bits.",
        )
        st.download_button(
            "Patch (NPZ)",
            partial(patch_npz, patch.pixels, patch.share, patch.target),
            f"{stem}.npz",
            "application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            help="The array patch as 32-bit floats from 0 to 1, its share of the photo and its target.",
        )
    st.subheader("Print it", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state.setdefault("print_cm", 10.0)
        width = st.number_input(
            "Side on paper (cm)",
            SMALLEST,
            LARGEST,
            step=0.5,
            format="%g",
            key="print_cm",
            persist_state="session",
            width=180,
        )
        st.download_button(
            "A4 page (PDF)",
            partial(print_pdf, picture, width),
            f"{stem}-{width:g}cm.pdf",
            "application/pdf",
            icon=":material/print:",
            on_click="ignore",
            help="Print it at 100 %, not fitted to the page.",
        )
        st.download_button(
            "Picture at 300 dpi (PNG)",
            partial(print_png, picture, width),
            f"{stem}-{width:g}cm.png",
            "image/png",
            icon=":material/image:",
            on_click="ignore",
        )
