"""Which universal patch: those for the classifier in use first, and what each was measured to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

import classifiers
from attacks import universal_patch
from attacks.universal_patch import PatchCard, UniversalPatch, card_of, trained_on
from evaluation.many_photos.patch_training import TURN
from story.param import AUTO
from ui.frame.page_files import FOLDER
from ui.frame.parameter_widgets import help_text
from ui.frame.verdict import percent
from ui.session import selection
from ui.session.parameters import state_key
from ui.session.scene import Scene
from ui.session.workbench import workbench

ATTACK = "universal-patch"
_SLACK = 0.01
"""Share of the photo's side by which a patch may lie off its place and still count as in it."""

_WEAK = {True: ("fooled anywhere", "wherever it lay"), False: ("fooled turned", "when it was turned")}
"""Whether a patch lies off its place -> the figure of its card that counts, and how it was measured."""


def show(scene: Scene) -> None:
    """The list of patches, by the classifier that they were trained on."""
    parameter = selection.attacks()[ATTACK].parameter("patch")
    key = state_key("attack", parameter)
    st.session_state.setdefault(key, parameter.default)
    words = titles(scene.classifier.identity, tuple(workbench().patches))
    st.selectbox(
        "Patch",
        list(words),
        format_func=words.__getitem__,
        key=key,
        persist_state="session",
        help=help_text(parameter),
    )


def titles(classifier: str, own: Sequence[str]) -> dict[str, str]:
    """Every patch in the order of the list, with its words there.

    First ``AUTO``, where any patch ships, and one's ``own``; then those trained on ``classifier``, an
    identity; then those of other classifiers, which are named.
    """
    fitting = trained_on(classifier)
    others = {card.classifier for card in universal_patch.PATCHES.values()} - {classifier}
    words = {}
    if universal_patch.PATCHES:
        words[AUTO] = f"auto: {card_of(AUTO, classifier).title}" if fitting else AUTO
    words |= {name: f"{name} · yours" for name in own}
    words |= _distinct(fitting)
    for other in sorted(others, key=_classifier_title):
        title = _classifier_title(other)
        words |= {name: f"{text} · for {title}" for name, text in _distinct(trained_on(other)).items()}
    return words


def _distinct(cards: Sequence[PatchCard]) -> dict[str, str]:
    """Name -> title; where several patches have the same title, with the name."""
    every = [card.title for card in cards]
    return {
        card.name: card.title if every.count(card.title) == 1 else f"{card.title} ({card.name})"
        for card in cards
    }


def _classifier_title(identity: str) -> str:
    return classifiers.title(identity.partition(":")[0])


def about(scene: Scene, attack: UniversalPatch) -> None:
    """What the patch was trained for, and what is to be expected of it as it lies now."""
    card = attack.card
    if card is None:
        return
    if not trained_on(scene.classifier.identity):
        _none_fits(scene)
    st.caption(training_words(card, scene.classifier.identity))
    words = shifted_words(attack, card, scene.size)
    if card.classifier != scene.classifier.identity or not words:
        return
    better = for_every_place(card, attack, scene.size)
    if better is None:
        st.info(words, icon=":material/open_with:")
        return
    st.info(f"{words} {_praise(better, attack, card, scene.size)}", icon=":material/open_with:")
    st.button(
        "Use that patch",
        icon=":material/swap_horiz:",
        key="use_patch_for_every_place",
        width="stretch",
        on_click=_choose,
        args=(better.name,),
    )


def _praise(better: PatchCard, attack: UniversalPatch, card: PatchCard, size: int) -> str:
    """What a patch for every place was measured to do where this one is weak."""
    figure, where = _WEAK[shifted(attack, card, size)[0]]
    return f"“{better.title}” fooled {percent(better.everything['val'][figure])} {where}."


def _choose(name: str) -> None:
    st.session_state[selection.parameter_key("attack", "patch")] = name


def _none_fits(scene: Scene) -> None:
    title = classifiers.title(scene.classifier.name)
    st.info(
        f"No ready-made patch was trained on {title}. Those in the list were trained on other classifiers "
        "and may do nothing here.",
        icon=":material/info:",
    )
    st.page_link(
        FOLDER / "train_patch.py",
        label=f"Train a patch for {title}",
        icon=":material/arrow_forward:",
        query_params=selection.query(scene),
    )


def training_words(card: PatchCard, classifier: str) -> str:
    """On which classifier and for which places a patch was trained, and how many unseen photos it fooled.

    Where other patches fit the classifier in use, it warns of one that does not.

    Args:
        card: of the patch.
        classifier: identity of the one in use.
    """
    val, on = card.everything["val"], _classifier_title(card.classifier)
    if card.for_every_place:
        text = f"Trained on {on} for every place{_turned_words(card)}."
        where, share = "Anywhere on the photo", val["fooled anywhere"]
    else:
        text = f"Trained on {on} for the {card.place}."
        where, share = "There", val["fooled"]
    sees = "the classifier" if card.classifier == classifier else "that classifier"
    text += f" {where}, {sees} predicts {card.target} on {percent(share)} of {val['photos']:,} unseen photos."
    if card.classifier == classifier or not trained_on(classifier):
        return text
    return f"{text} On the classifier in use it may do nothing."


def _turned_words(card: PatchCard) -> str:
    """For which angles a patch for every place was trained."""
    rotation = card.everything["recipe"]["rotation"]
    if rotation == 0:
        return ""
    return " and angle" if rotation >= 180 else f", turned by up to {rotation:g}°"


def shifted(attack: UniversalPatch, card: PatchCard, size: int) -> tuple[bool, bool]:
    """Whether the patch lies off the place that it was trained for, and whether it is turned.

    Args:
        attack: with its patch.
        card: of that patch.
        size: of the photo, px.
    """
    home = replace(attack, **card.everything["place"]).box(size, size)
    box = attack.box(size, size)
    away = max(abs(box.top - home.top), abs(box.left - home.left))
    return not card.for_every_place and away > _SLACK * size, attack.rotation != 0


def shifted_words(attack: UniversalPatch, card: PatchCard, size: int) -> str:
    """What was measured of a patch that is moved or turned as this one is; "" where it lies as trained."""
    moved, turned = shifted(attack, card, size)
    val = card.everything["val"]
    photos = f"{val['photos']:,} photos"
    if moved:
        spot = card.place.rpartition(" ")[2]
        words = f"Moved off its {spot}, this patch fooled {percent(val['fooled anywhere'])} of {photos}"
        return f"{words}; turned as well, it was not measured." if turned else f"{words}."
    if turned:
        words = f"Turned by up to {TURN:g}°, this patch fooled {percent(val['fooled turned'])} of {photos}"
        return f"{words}; not measured beyond that." if abs(attack.rotation) > TURN else f"{words}."
    return ""


def for_every_place(card: PatchCard, attack: UniversalPatch, size: int) -> PatchCard | None:
    """A patch for every place on the same classifier that does better than this one as it lies; else None.

    One for the same target comes first, then the one that fools most.
    """
    figure, _ = _WEAK[shifted(attack, card, size)[0]]
    better = [
        other
        for other in trained_on(card.classifier)
        if other.for_every_place and other.everything["val"][figure] > card.everything["val"][figure]
    ]
    if card.for_every_place or not better:
        return None
    return max(better, key=lambda other: (other.target == card.target, other.everything["val"][figure]))
