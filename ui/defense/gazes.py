"""Where the classifier looks, by several saliency methods, and how much of it lies on the patch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import streamlit as st
from torch import Tensor

from classifiers import Classifier
from defenses import Looking
from evaluation.one_photo.story import Story
from explain import SALIENCIES, doubt, resolved_method, saliency_name, share_inside
from story import Step
from story.render import render, to_png
from ui.attack.running import Result
from ui.frame.verdict import percent
from ui.session.scene import Scene
from ui.session.workbench import Workbench, workbench

METHODS = ("gradient", "cam")
"""Saliency maps that are shown beside each other, and beside them the one that ``auto`` takes."""


@dataclass(frozen=True, eq=False)
class Gaze:
    """Where the classifier looks, by one method.

    Attributes:
        method: of ``explain.SALIENCIES``.
        png: the map.
        on_patch: share of the map inside the patch; None without one, and of an empty map.
        words: why the map is empty, or why it should not be trusted; empty where neither is so.
    """

    method: str
    png: bytes
    on_patch: float | None
    words: str


def section(scene: Scene, _result: Result | None, story: Story) -> None:
    """The maps; nothing for a defense that does not ask where the classifier looks."""
    defense = story.defense
    if not isinstance(defense, Looking):
        return
    st.subheader("Where the classifier looks", anchor=False)
    used = resolved_method(defense.saliency, scene.classifier)
    gazes = gazes_of(workbench(), scene, story)
    *pictures, words = st.columns(len(gazes) + 1, gap="medium")
    for column, gaze in zip(pictures, gazes, strict=True):
        column.image(
            gaze.png,
            width="stretch",
            output_format="PNG",
            alt=f"Saliency by {gaze.method}",
            caption=_caption(gaze, in_use=gaze.method == used),
        )
    words.markdown(_why(scene, defense))


def gazes_of(bench: Workbench, scene: Scene, story: Story) -> list[Gaze]:
    """Where the classifier looks on the photo that is defended, by ``METHODS`` and by the ``auto`` one."""
    defense = story.defense
    assert isinstance(defense, Looking)
    x = story.undefended.x
    mask = story.trace.mask if story.trace is not None else None
    marks = [bench.memo.mark(maps) for maps in (x, mask) if maps is not None]
    key = ("gaze", scene.classifier.identity, defense.top_k, defense.loss, defense.seed, *marks)
    return [
        bench.once((*key, method), partial(_gaze, defense, method, x, mask, scene.classifier))
        for method in dict.fromkeys((*METHODS, scene.classifier.saliency))
    ]


def _gaze(defense: Looking, method: str, x: Tensor, mask: Tensor | None, model: Classifier) -> Gaze:
    looked = defense.look(x, model, method)
    note, empty = doubt(saliency_name(method), model), SALIENCIES[method].empty
    step = Step(method, looked, "heat", note, own_scale=True, empty=empty)
    share = float(share_inside(looked, mask.to(looked))) if mask is not None and bool(looked.sum()) else None
    return Gaze(method, to_png(render(step)), share, step.words())


def _caption(gaze: Gaze, *, in_use: bool) -> str:
    share = "" if gaze.on_patch is None else f", {percent(gaze.on_patch)} of it on the patch"
    caption = f"{gaze.method}{' (in use)' if in_use else ''}{share}"
    return ". ".join(filter(None, (caption, gaze.words)))


def _why(scene: Scene, defense: Looking) -> str:
    method = scene.classifier.saliency
    if method == "gradient":
        return f"{defense.hopes} **auto** takes the gradient, as the papers do."
    return (
        f"{defense.hopes} **auto** takes **{method}**, which this classifier's card names because there it "
        "does; in small networks the papers' gradient hardly gathers on the patch."
    )
