"""What the page of Heat and Blur shows below its steps: the heat before and after the attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from statistics import fmean
from typing import Any

import streamlit as st

from defenses import HeatAndBlur
from evaluation.one_photo.heat_and_blur import Heats, Survival, heats, survival
from evaluation.one_photo.story import Story
from explain import STANDS_IN, STARTS, propagates, why_empty
from photos import Photo, gallery, read_photo, readable
from story import Step
from story.render import render, to_png
from ui.attack.running import Result
from ui.charts.axes import PLAIN
from ui.charts.heat_and_blur import survival_figure
from ui.frame.sidebar import PHOTO_FILES
from ui.session.background import Background
from ui.session.progress import follow, progress
from ui.session.scene import Scene
from ui.session.workbench import workbench

_SIDE = 136
"""Of a picture, px: two of them fit beside each other on a phone."""
_ASKED = "survival_asked"
MOST = 8
"""Photos of the gallery that are attacked, one after the other."""


def more(scene: Scene, result: Result | None, story: Story) -> None:
    """Everything below the steps."""
    defense = story.defense
    assert isinstance(defense, HeatAndBlur)
    if not propagates(scene.classifier):
        st.info(STANDS_IN, icon=":material/info:")
    st.subheader("Does the object survive in the heat?", anchor=False)
    if result is None or story.attacked is None:
        st.markdown("Choose the attacked photo to see its heat beside that of the clean photo.")
        return
    attacked = story.attacked.x
    by_start = workbench().once(
        ("heats", scene.key, result.attempt.key, defense),
        lambda: heats(story.clean.x, attacked, scene.classifier, defense),
    )
    _side_by_side(by_start, scene)
    _many(scene, result, defense)


def _side_by_side(by_start: dict[str, Heats], scene: Scene) -> None:
    st.markdown(
        "The heat of the clean and of the attacked photo, for each start of the relevance. A correlation of "
        "1 means that the attack has not moved it at all; near 0, nothing of it has survived."
    )
    why = why_empty(scene.classifier)
    for column, (start, kept) in zip(st.columns(len(by_start), gap="medium"), by_start.items(), strict=True):
        column.markdown(f"**{start}**: correlation **{kept.correlation:.2f}**")
        # Side by side on a phone too, where columns would lie below each other.
        with column.container(horizontal=True, gap="small"):
            for name, heat in (("clean", kept.clean), ("attacked", kept.attacked)):
                st.image(
                    to_png(render(Step("heat", heat, "heat"))),
                    width=_SIDE,
                    output_format="PNG",
                    caption=name if heat.max() > heat.min() else f"{name}: flat because {why}",
                    alt=f"Heat of the {name} photo, {start}",
                )


# --- many photos ------------------------------------------------------------------------------------------


def _many(scene: Scene, result: Result, defense: HeatAndBlur) -> None:
    st.subheader("On many photos", anchor=False)
    names = gallery()[:MOST]
    st.markdown(
        f"The same attack on each of the first {len(names)} photos of the gallery, towards a random "
        "label where it needs one. Two different photos have something in common too, such as an object in "
        "the middle: what the attack leaves of a photo's heat counts as far as it is more than that."
    )
    added = st.file_uploader(
        "Photos of your own beside them",
        accept_multiple_files=True,
        key="survival_photos",
        help="They stay in this visit. The working size and the classifier are those of the sidebar.",
        **PHOTO_FILES,
    )
    files = [(file.getvalue(), file.name) for file in added]
    digests = tuple(sha256(data).hexdigest() for data, _ in files)
    attempt = result.attempt
    key: tuple[Any, ...] = ("survival", names, digests, scene.size, *scene.key[2:], attempt.key, defense)
    if st.button("Measure", icon=":material/play_arrow:", key="measure_survival"):
        st.session_state[_ASKED] = key
    if st.session_state.get(_ASKED) != key:
        return

    def photos() -> Iterator[Photo]:
        yield from readable(names)
        yield from (read_photo(data, name) for data, name in files)

    work = workbench().aside(
        key,
        lambda: survival(photos(), scene.classifier, attempt.attack, defense, size=scene.size),
        len(names) + len(files),
    )
    follow(_chart, work)


def _chart(work: Background[Survival]) -> None:
    progress(work, " photos", "This attack failed on one of the photos.")
    if work.parts:
        st.plotly_chart(
            survival_figure(work.parts),
            config=PLAIN,
            key="survival",
            alt="Correlation of the heat with the attacked photo's, and with another photo's, by start",
        )
        st.markdown(_in_words(work.parts))


def _in_words(rows: Sequence[Survival]) -> str:
    fooled = sum(row.fooled for row in rows)
    means = "; ".join(
        f"**{start}** {fmean(row.correlations[start] for row in rows):.2f} "
        f"(another photo: {fmean(row.another[start] for row in rows):.2f})"
        for start in STARTS
    )
    return f"Means over {len(rows)} photo{'s' * (len(rows) > 1)} ({fooled} fooled): {means}."
