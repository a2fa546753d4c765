"""The adversarial score on the page: how likely it is that the photo carries a patch."""

from __future__ import annotations

import html
from functools import partial

import streamlit as st

from evaluation.one_photo.adversarial_score import SIGNS, Suspicion, read_suspicion, score
from evaluation.one_photo.story import Story
from story.render import ATTACKED, CLEAN
from ui.defense.fitted import borrowed
from ui.frame.verdict import percent
from ui.session.scene import Scene
from ui.session.workbench import Workbench, workbench


def gauge(scene: Scene, story: Story) -> None:
    """A bar for each picture that a defense may get; nothing where no score ships."""
    try:
        suspicion = read_suspicion(scene.classifier)
    except ValueError:
        return
    st.html(gauge_html(scores(workbench(), scene, story, suspicion)))
    with st.popover("What this number is", icon=":material/help:"):
        st.markdown(_words(scene, suspicion))


def scores(
    bench: Workbench, scene: Scene, story: Story, suspicion: Suspicion
) -> list[tuple[str, float, str]]:
    """Title, score and colour of the clean photo and, where there is one, the attacked."""
    pictures = {"Clean photo": (story.clean, CLEAN)}
    if story.attacked is not None:
        pictures["Attacked photo"] = (story.attacked, ATTACKED)
    return [
        (title, float(bench.computed(partial(score, seen.x, scene.classifier, suspicion))), colour)
        for title, (seen, colour) in pictures.items()
    ]


def gauge_html(rows: list[tuple[str, float, str]]) -> str:
    """Title, score and colour of each picture as a bar with its number."""
    bars = "".join(
        f'<li style="--meaning:{colour}"><span class="unfool-name">{html.escape(title)}</span>'
        f'<span class="unfool-number">{percent(share)}</span><span class="unfool-track">'
        f'<span class="unfool-bar" style="width:{100 * share:.2f}%"></span></span></li>'
        for title, share, colour in rows
    )
    return f'<div class="unfool-bars"><h4>Adversarial score: does it carry a patch?</h4><ol>{bars}</ol></div>'


def _words(scene: Scene, suspicion: Suspicion) -> str:
    looks = "; ".join(SIGNS.values())
    val = suspicion.card["val"]
    origin = borrowed(scene.classifier, suspicion.classifier)
    return (
        f"Ours, not the papers': a logistic regression over four signs ({looks}). It is the probability that "
        "this photo carries a patch, if half of all photos did. "
        f"{origin} On {val['photos']} photos that it was not fitted on, a "
        f"patched photo scores higher than a clean one in {percent(val['auc'])} of all pairs. It does not "
        "look for small changes all over the photo."
    )
