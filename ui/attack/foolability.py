"""The card that sets the built-in classifiers side by side: how easily ready-made patches fool each."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

import classifiers
from attacks.universal_patch import PATCHES, PatchCard
from ui.frame.verdict import percent

KINDS = {"lavan": "one place", "adversarial-patch": "every place"}
"""Kind of patch -> what it was learned for."""
FOOLED = {"fooled": "fooled", "fooled turned": "… turned", "fooled anywhere": "… anywhere"}
"""Figure on a patch's card -> column: share of unseen photos that the classifier takes for its target."""


def rows(cards: Iterable[PatchCard]) -> list[dict[str, str]]:
    """A line for each patch that was learned on a built-in classifier, by classifier, the smallest first."""
    installed = {name: classifiers.read_card(name) for name in classifiers.builtin_names()}
    names = {f"{name}:{card['sha256']}": name for name, card in installed.items()}
    order = list(names)
    fitting = [card for card in cards if card.classifier in names]
    fitting.sort(key=lambda card: (order.index(card.classifier), card.share, card.name))
    return [
        {
            "classifier": classifiers.title(name),
            "right without a patch": percent(installed[name]["accuracy"]["top1"]),
            "patch says": card.target,
            "learned for": KINDS[card.everything["kind"]],
            "area": f"{100 * card.share:g} %",
            **{column: percent(card.everything["val"][figure]) for figure, column in FOOLED.items()},
        }
        for card in fitting
        for name in (names[card.classifier],)
    ]


def show() -> None:
    """The card, closed until it is asked for; nothing where no patch fits an installed classifier."""
    lines = rows(PATCHES.values())
    if not lines:
        return
    with st.expander("How easily is each built-in classifier fooled?"):
        st.markdown(
            "Patches that were learned once, over many photos, and are pasted onto others, which neither they"
            " nor the classifier saw: how many of these are then taken for what the patch says."
        )
        st.dataframe(
            lines,
            hide_index=True,
            width="stretch",
            height="content",
            alt="Share of unseen photos that each ready-made patch fools, by built-in classifier",
        )
