"""What the page of Pixel Deflection shows below its steps: the map's origin, the bands, the post's table."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st
import torch

from classifiers import Prediction
from defenses import PixelDeflection
from evaluation.measures.metrics import ndcg
from evaluation.one_photo.pixel_deflection import OBJECT, Inside, look_inside, origins, probabilities
from evaluation.one_photo.story import Story
from story import Step
from story.render import render, to_png
from ui.attack.running import Result
from ui.browser import panels_of, story_viewer
from ui.charts.axes import PLAIN
from ui.charts.pixel_deflection import fill_map_figure, map_figure
from ui.defense.draws import draws_beside
from ui.frame.verdict import NDCG_HELP, adversary, percent
from ui.session.scene import Attempt, Scene
from ui.session.workbench import Workbench, workbench

_ASKED = "parts_asked"
"""Where the session keeps what the table was asked for; it asks the classifier dozens of times."""


def more(scene: Scene, result: Result | None, story: Story) -> None:
    """Everything below the steps."""
    attempt = result.attempt if result else None
    seen = views(workbench(), scene, attempt, story)
    _map(seen, story)
    _bands(seen.inside, story)
    _table(scene, attempt, story)


@dataclass(frozen=True, eq=False)
class Views:
    """What is shown of the inside of a story of Pixel Deflection.

    Attributes:
        inside: what its steps were made of.
        top: the labels whose maps make up the robust CAM, likeliest first.
        maps: these maps as PNG files, each with its label and, where it is empty, why.
        distribution: of the map's values.
    """

    inside: Inside
    top: tuple[Prediction, ...]
    maps: tuple[tuple[bytes, str], ...]
    distribution: go.Figure


def views(bench: Workbench, scene: Scene, attempt: Attempt | None, story: Story) -> Views:
    """Of a ``story`` of this photo and attack; what a slider leaves as it is lies on the ``bench``."""
    defense, x = _defense(story), story.undefended.x

    def looked() -> tuple[tuple[Prediction, ...], tuple[tuple[bytes, str], ...]]:
        origin = origins(x, scene.classifier, defense.top_k)
        return origin.top, tuple((to_png(render(step)), _caption(step)) for step in origin.maps)

    top, maps = bench.once(("origins", *_key(scene, attempt), defense.top_k), looked)
    inside = bench.once(("inside", *_key(scene, attempt), defense), lambda: look_inside(story))
    values, moved = inside.values.flatten().cpu().numpy(), inside.moved.flatten().cpu().numpy()
    figure = bench.once(("distribution of the map",), map_figure)
    return Views(inside, top, maps, fill_map_figure(figure, values, values[moved]))


def _caption(step: Step) -> str:
    return ". ".join(filter(None, (step.name, step.words())))


def _key(scene: Scene, attempt: Attempt | None) -> tuple[Hashable, ...]:
    return scene.key, attempt.key if attempt else None


# --- the map ----------------------------------------------------------------------------------------------


def _map(seen: Views, story: Story) -> None:
    st.subheader("What the map is made of", anchor=False)
    if _defense(story).map == "none":
        st.markdown("The map is switched off: every pixel is as likely to be moved as any other.")
        return
    names = ", ".join(f"**{line.label}** {percent(line.probability)}" for line in seen.top)
    st.markdown(f"The robust CAM combines the maps of what the classifier takes this photo for: {names}.")
    with st.container(horizontal=True, gap="small"):
        for line, (picture, caption) in zip(seen.top, seen.maps, strict=True):
            st.image(
                picture,
                width=132,
                caption=caption,
                output_format="PNG",
                alt=f"Class activation map of {line.label}",
            )
    chart, words = st.columns([2, 1], gap="large", vertical_alignment="center")
    chart.plotly_chart(
        seen.distribution,
        config=PLAIN,
        key="map_distribution",
        alt="Share of all pixels, and of the moved ones, over the value of the robust CAM",
    )
    inside = seen.inside
    on, total = inside.moved_on_object, int(inside.moved.sum())
    covered = float((inside.values >= OBJECT).float().mean())
    words.markdown(
        f"**{total}** pixels have another's colour: **{on}** on an object, where the map is {OBJECT:g} or "
        f"more, and **{total - on}** elsewhere. The objects cover {percent(covered)} of the photo."
    )


def _defense(story: Story) -> PixelDeflection:
    assert isinstance(story.defense, PixelDeflection)
    return story.defense


# --- wavelets ---------------------------------------------------------------------------------------------


def _bands(inside: Inside, story: Story) -> None:
    if _defense(story).denoiser != "wavelet":
        return
    st.subheader("What the wavelets take away", anchor=False)
    story_viewer(panels_of(inside.coefficients), key="coefficients", side_by_side=True)
    with st.expander("Thresholds by band", icon=":material/table:"):
        st.dataframe(
            [asdict(band) for band in inside.bands],
            hide_index=True,
            width="stretch",
            column_config={
                "level": st.column_config.NumberColumn("Level", help="1 is the finest"),
                "direction": st.column_config.TextColumn("Band"),
                "threshold": st.column_config.NumberColumn("Threshold", format="%.4f"),
                "before": st.column_config.NumberColumn("Not 0 before", format="percent"),
                "after": st.column_config.NumberColumn("Not 0 after", format="percent"),
            },
        )


# --- the post's table -------------------------------------------------------------------------------------


def _table(scene: Scene, attempt: Attempt | None, story: Story) -> None:
    st.subheader("Which part helps", anchor=False)
    defense = _defense(story)
    if attempt is None or story.attacked is None:
        st.markdown("Choose the attacked photo to see what map, deflections and denoiser each give back.")
        return
    attacked = story.attacked.x
    count = draws_beside(
        "The post's table for this very photo: each part by itself, over several draws of the pixels.",
        "deflection_draws",
    )
    key = ("combinations", count, *_key(scene, attempt), defense)
    if st.button("Measure the parts", icon=":material/play_arrow:", key="measure_parts"):
        st.session_state[_ASKED] = key
    if st.session_state.get(_ASKED) != key:
        return
    seeds = [defense.seed + number for number in range(count)]
    rows = workbench().once(
        key, lambda: probabilities(story.clean.x, attacked, scene.classifier, defense, seeds)
    )
    against = adversary(story)
    st.dataframe(
        [_row(name, draws, rows["clean"], story.source, against) for name, draws in rows.items()],
        hide_index=True,
        width="stretch",
        column_config={
            "photo": st.column_config.TextColumn("Photo"),
            "true": st.column_config.TextColumn(f"{story.labels[story.source]} (clean label)"),
            "rival": None
            if against is None
            else st.column_config.TextColumn(f"{story.labels[against]} (attack)"),
            "restored": st.column_config.TextColumn("Says the clean label"),
            "ndcg": st.column_config.NumberColumn("nDCG", format="%.2f", help=NDCG_HELP),
        },
    )
    st.caption(
        "PD: Pixel Deflection. WD: the denoiser. R-CAM: the map. ±: standard deviation over the draws."
    )


def _row(
    name: str, draws: torch.Tensor, clean: torch.Tensor, true: int, against: int | None
) -> dict[str, Any]:
    """One line of the table, in words; nDCG is a mean over the draws."""

    def mean(label: int) -> str:
        shares = draws[:, label]
        spread = f" ± {100 * float(shares.std()):.0f}" if len(shares) > 1 else ""
        return f"{percent(float(shares.mean()))}{spread}"

    right = int((draws.argmax(1) == true).sum())
    return {
        "photo": name,
        "true": mean(true),
        "rival": "" if against is None else mean(against),
        "restored": ("yes" if right else "no") if len(draws) == 1 else f"{right} of {len(draws)}",
        "ndcg": ndcg(clean, draws).mean().item(),
    }
