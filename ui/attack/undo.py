"""Where an attack is best undone, by what was measured."""

from __future__ import annotations

import streamlit as st

from attacks.placement import PatchAttack
from attacks.universal_patch import UniversalPatch
from defenses import DEFENSES
from evaluation.many_photos.examples import Rung, read_trials
from ui.attack.running import Result
from ui.frame.page_files import FOLDER
from ui.frame.pages import PAGE_OF
from ui.frame.verdict import percent
from ui.session import selection
from ui.session.scene import Scene

_FIRST = FOLDER / "gradient_smoothing.py"
"""The page to go to where nothing was measured."""


def show(scene: Scene, result: Result) -> None:
    """A link to the defense that is most often right under this attack, and how often it is."""
    st.subheader("Undo it", anchor=False)
    trials = read_trials(scene.classifier.name, scene.classifier.identity)
    rung = None if trials is None else trials.nearest(result.attempt.attack)
    if rung is None:
        st.page_link(_FIRST, icon=":material/arrow_forward:", query_params=selection.query(scene))
        return
    best = rung.best()
    st.page_link(
        PAGE_OF[best],
        label=DEFENSES[best].title,
        icon=":material/arrow_forward:",
        query_params=selection.query(scene, defense=best),
    )
    st.caption(best_words(rung))


def best_words(rung: Rung) -> str:
    """How often the best defense is right under the attack of ``rung``, and how often none is."""
    best = rung.best()
    right, alone = rung.right[best], rung.fooled.of - rung.fooled.hits
    return (
        f"Under {named(rung)}, {DEFENSES[best].title} is right on {percent(right.or_zero)} of {right.of} "
        f"photos, more often than any other defense; the classifier alone on "
        f"{percent(alone / rung.fooled.of)}."
    )


def named(rung: Rung) -> str:
    """The attack with what tells its strength, in the unit of the screen."""
    attack = rung.attack
    if isinstance(attack, UniversalPatch):
        return f"the patch “{attack.patch}”"
    if isinstance(attack, PatchAttack):
        return f"{attack.title} on {percent(rung.strength)} of the photo"
    return f"{attack.title} with ε {255 * rung.strength:g}/255"
