"""A random defense on the page: does the attacked photo fool other draws of it too?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from evaluation.one_photo.other_draws import over_draws
from evaluation.one_photo.story import Story
from ui.attack.running import Result
from ui.frame.verdict import percent
from ui.session.scene import Scene
from ui.session.workbench import workbench

DRAWS = (20, 50, 100)
"""Numbers of draws to choose from."""
_ASKED = "draws_asked"


def section(scene: Scene, result: Result | None, story: Story) -> None:
    """A button that asks for them, and the counts with their interval; nothing without attack or draws."""
    if result is None or story.defense is None or not story.defense.is_random(scene.classifier):
        return
    st.subheader("Other draws of this defense", anchor=False)
    left, right = st.columns([3, 1], gap="large", vertical_alignment="bottom")
    count = int(
        left.segmented_control(
            "Draws", DRAWS, default=DRAWS[0], required=True, key="draws_count", persist_state="session"
        )
        or DRAWS[0]
    )
    key: tuple[Any, ...] = ("draws", scene.key, result.attempt.key, story.defense, count)
    if right.button("Draw", icon=":material/casino:", width="stretch", key="draw_again"):
        st.session_state[_ASKED] = key
    if st.session_state.get(_ASKED) != key:
        st.caption("What you see above is one draw. Does the attack fool the others too?")
        return
    draws = workbench().once(key, lambda: over_draws(story, scene.classifier, count))
    if draws is None:
        return
    low, high = draws.interval
    rejected = f", rejected in {draws.rejected}" if draws.rejected else ""
    st.markdown(
        f"Fooled in **{draws.fooled} of {draws.count}** other draws, which speaks for {percent(low)} to "
        f"{percent(high)} of all (95 % interval); the clean label came out in {draws.right}{rejected}."
    )
