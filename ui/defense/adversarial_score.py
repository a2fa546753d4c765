"""The adversarial score on the page: how likely it is that the photo carries a patch."""

from __future__ import annotations

import html
from functools import partial

import streamlit as st

from evaluation.one_photo.adversarial_score import SIGNS, Suspicion, read_suspicion, score
from evaluation.one_photo.story import Story
from story.render import ATTACKED, CLEAN
from ui.frame.verdict import percent
from ui.session.scene import Scene
from ui.session.workbench import Workbench, workbench


def gauge(scene: Scene, story: Story) -> None:
    """A bar for each picture that a defense may get; nothing where no score ships."""
    try:
        suspicion = read_suspicion()
    except ValueError:
        return
    st.html(gauge_html(scores(workbench(), scene, story, suspicion)))
    with st.popover("What this number is", icon=":material/help:"):
        st.markdown(_words(scene, suspicion.classifier, suspicion.card["val"]))


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


def _words(scene: Scene, fitted_on: str, val: dict[str, float]) -> str:
    looks = "; ".join(SIGNS.values())
    own = scene.classifier.identity == fitted_on
    foreign = "" if own else " It was fitted on another classifier than this one."
    return (
        f"Ours, not the papers': a logistic regression over four signs ({looks}). It is the probability of a "
        f"patch where every other photo carries one. On {val['photos']} photos that it was not fitted on, a "
        f"patched photo scores higher than a clean one in {percent(val['auc'])} of all pairs.{foreign} Small "
        "changes all over the photo are not what it looks for."
    )
