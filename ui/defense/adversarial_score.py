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

_NOT_STUCK = ("a patch", "nothing")


def gauge(scene: Scene, story: Story) -> None:
    """A bar for each picture that a defense may get; nothing where no score ships."""
    try:
        suspicion = read_suspicion(scene.classifier)
    except ValueError:
        return
    st.html(gauge_html(scores(workbench(), scene, story, suspicion), suspicion.alarm_from))
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


def gauge_html(rows: list[tuple[str, float, str]], alarm_from: float) -> str:
    """Title, score and colour of each picture as a bar with its number, and a mark at ``alarm_from``."""
    bars = "".join(
        f'<li style="--meaning:{colour}"><span class="unfool-name">{html.escape(title)}'
        f"{' – suspicious' if share >= alarm_from else ''}</span>"
        f'<span class="unfool-number">{percent(share)}</span><span class="unfool-track">'
        f'<span class="unfool-bar" style="width:{100 * share:.2f}%"></span>'
        f'<span class="unfool-mark" style="left:{100 * alarm_from:.2f}%"></span></span></li>'
        for title, share, colour in rows
    )
    return f'<div class="unfool-bars"><h4>Adversarial score: does it carry a patch?</h4><ol>{bars}</ol></div>'


def _words(scene: Scene, suspicion: Suspicion) -> str:
    looks = "; ".join(SIGNS.values())
    val, edge = suspicion.card["val"], percent(suspicion.alarm_from)
    origin = borrowed(scene.classifier, suspicion.classifier)
    alarms = {kind: percent(shares["as fitted"]) for kind, shares in val["alarms"].items()}
    others = ", ".join(f"{share} with a {kind}" for kind, share in alarms.items() if kind not in _NOT_STUCK)
    return (
        "This number is ours, not the papers'. It weighs four signs that a patch leaves "
        f"({looks}), and is the probability of a patch among photos half of which carry one, a quarter "
        f"nothing, and a quarter a harmless sticker. {origin}\n\n"
        f"The mark is at {edge}: from there on we call a photo suspicious. On {val['photos']} photos that "
        f"it was not fitted on, that holds for {alarms['a patch']} of those with a patch, "
        f"{alarms['nothing']} of the plain ones, {others}. What it cannot tell is why a spot is busy and "
        "changes the classifier's mind: a sticker over the object does that too. It does not look for small "
        "changes all over the photo."
    )
