"""What the page of the smoothing vote shows below its steps: the tally, the kernel, and votes under noise."""

from __future__ import annotations

from typing import Any

import streamlit as st

from defenses import SmoothingVote
from evaluation.one_photo.smoothing_vote import under_noise
from evaluation.one_photo.story import Story
from ops.blur import gaussian_kernel
from ui.attack.running import Result
from ui.charts.axes import PLAIN
from ui.charts.smoothing_vote import kernel_figure, votes_figure
from ui.defense.draws import draws_beside
from ui.frame.verdict import tally_html
from ui.session.scene import Scene
from ui.session.workbench import workbench


def more(scene: Scene, _result: Result | None, story: Story) -> None:
    """Everything below the steps."""
    defense = story.defense
    assert isinstance(defense, SmoothingVote)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("The vote", anchor=False)
        st.html(tally_html(story))
    with right:
        st.subheader("The kernel", anchor=False)
        _kernel(defense)
    _noise(scene, defense, story)


def _kernel(defense: SmoothingVote) -> None:
    weights = gaussian_kernel(defense.kernel, defense.sigma)
    square = (weights[:, None] * weights).numpy()
    st.plotly_chart(
        kernel_figure(square),
        config=PLAIN,
        key="vote_kernel",
        alt="Weight of each pixel around the middle one",
    )
    st.caption("Each pixel becomes the sum of its neighbours, weighed so.")


def _noise(scene: Scene, defense: SmoothingVote, story: Story) -> None:
    st.subheader("The vote under noise", anchor=False)
    count = draws_beside(
        "The post's experiment on this very photo: noise is added to the clean photo, drawn anew each time. "
        "How often is the clean label accepted, how often another, and how often is the photo rejected?",
        "vote_draws",
    )
    key: tuple[Any, ...] = ("noise", scene.key, defense, count)
    rows = workbench().once(key, lambda: under_noise(story.clean.x, scene.classifier, defense, draws=count))
    st.plotly_chart(
        votes_figure(rows),
        config=PLAIN,
        key="votes_under_noise",
        alt="Share of draws accepted with the clean label, with another, and rejected, over the noise",
    )
