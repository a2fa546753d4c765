"""What the page of AdvFilter shows below its steps: a pixel's kernels, every strength, the network's card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from defenses.advfilter import AdvFilter
from denoisers import Denoiser, load, read_card
from denoisers.denoise import RESULT, SL, M
from evaluation.one_photo.advfilter import (
    ALL,
    ATTACKED,
    AtStrength,
    PixelKernel,
    attacked_at_all,
    denoised_at_all,
    pixel_kernel,
)
from evaluation.one_photo.story import Story
from story import Step, by_name
from story.render import Picture, enlarge, render, to_png
from ui.attack.running import Result
from ui.browser import Placement, place_picker, scrubber
from ui.charts.advfilter import CHANNELS, pixel_kernel_figure, quality_figure
from ui.charts.axes import PLAIN
from ui.session.background import Background
from ui.session.progress import follow, progress
from ui.session.scene import Scene
from ui.session.workbench import workbench

_PIXEL, _ASKED = "kernel_pixel", "strengths_asked"
_PATCH = 120
"""Side of an enlarged patch, px."""
_GAP = 40
"""A photo's side over the gap between two that are one frame."""


def more(scene: Scene, result: Result | None, story: Story) -> None:
    """Everything below the steps."""
    defense = story.defense
    assert isinstance(defense, AdvFilter)
    card = read_card(defense.variant)
    if card["classifier"] != scene.classifier.identity:
        st.info(
            "This denoiser has learned from attacks on another classifier, and in its working size: here it "
            "shows what it can do for a stranger.",
            icon=":material/info:",
        )
    _pixel(scene, result, story)
    _strengths(scene, story, defense)
    _measured(card, defense)


def _network(scene: Scene, defense: AdvFilter) -> Denoiser:
    return load(defense.variant, device=scene.classifier.device)


# --- a pixel ----------------------------------------------------------------------------------------------


def _pixel(scene: Scene, result: Result | None, story: Story) -> None:
    st.subheader("What happens to one pixel", anchor=False)
    defense = story.defense
    assert isinstance(defense, AdvFilter)
    network = _network(scene, defense)
    if network.config.kind == "add":
        st.markdown(
            "This denoiser adds a number to each pixel and has no kernels. Choose one whose name begins with "
            "filt, or pa-filt, to see how a pixel is mixed from its neighbours."
        )
        return
    x = story.undefended.x
    side = network.config.kernel
    row, column = _at(story.steps, side)
    attempt = result.attempt.key if result else None
    kernels = workbench().once(
        ("pixel", scene.key, attempt, defense, row, column),
        lambda: _kernels(x, network, defense, row, column),
    )
    picture, beside = st.columns([2, 3], gap="large")
    height, width = x.shape[-2:]
    with picture:
        place_picker(
            to_png(render(Step("photo", x, "photo"))),
            patch=((column - side // 2) / width, (row - side // 2) / height, side / width, side / height),
            key="kernel_place",
            label=f"Pixel whose kernel is shown, in the middle of {side} by {side}",
            on_place=lambda now: _select(now, side, height, width),
        )
        st.caption(f"Row {row}, column {column}. Click another pixel, drag the square or use the arrow keys.")
        if network.fusion is not None:
            weight = float(by_name(story.steps, "fusion weight").map[0, 0, row, column])
            st.markdown(f"Here the fusion takes **{100 * weight:.0f} %** of **sl** and the rest of **m**.")
    with beside:
        for name, kernel in kernels.items():
            _kernel(name, kernel)


def _at(steps: Sequence[Step], side: int) -> tuple[int, int]:
    """The chosen pixel, moved as far from the border as its neighbours reach; by default the most changed."""
    change = by_name(steps, "difference").map[0, 0]
    half = side // 2
    middle = st.session_state.get(_PIXEL)
    if middle is None:
        inner = change[half:-half, half:-half] if half else change
        row, column = divmod(int(inner.argmax()), inner.shape[1])
        return row + half, column + half
    row, column = (
        min(max(int(share * length), half), length - 1 - half)
        for share, length in zip(middle, change.shape, strict=True)
    )
    return row, column


def _select(now: Placement, side: int, height: int, width: int) -> None:
    """Keeps the middle of the square, as shares of the photo, which outlive another working size."""
    row, column = (round(now.top * height) + side // 2, round(now.left * width) + side // 2)
    st.session_state[_PIXEL] = ((row + 0.5) / height, (column + 0.5) / width)


def _kernels(
    x: Tensor, network: Denoiser, defense: AdvFilter, row: int, column: int
) -> dict[str, PixelKernel]:
    """The kernels of a pixel by the name of the photo that they make."""
    outputs = network.outputs(x)
    if network.fusion is not None:
        named = dict(zip((SL, M), outputs, strict=True))
    elif len(outputs) > 1:
        named = {f"head {defense.head}": outputs[defense.head - 1]}
    else:
        named = {defense.variant: outputs[0]}
    return {name: pixel_kernel(x, kernels, row, column) for name, kernels in named.items()}


def _kernel(name: str, pixel: PixelKernel) -> None:
    st.markdown(f"**{name}**: the weight of each neighbour")
    st.plotly_chart(
        pixel_kernel_figure(pixel),
        config=PLAIN,
        key=f"pixel_kernel_{name}",
        alt=f"Weights of the pixel's neighbours in {', '.join(CHANNELS)}, by {name}",
    )
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        for words, patch in (("before", pixel.before), ("after", pixel.after)):
            st.image(
                to_png(_enlarged(patch)),
                width=_PATCH,
                output_format="PNG",
                caption=words,
                alt=f"The pixel and its neighbours {words} filtering by {name}",
            )
        st.markdown(_in_words(pixel))


def _enlarged(patch: Tensor) -> Picture:
    picture = render(Step("patch", patch[None].clamp(0, 1), "photo"))
    return enlarge(picture, max(1, _PATCH // len(picture)))


def _in_words(pixel: PixelKernel) -> str:
    """What the kernel does to the pixel, a line for each channel."""
    middle = pixel.kernel.shape[-1] // 2
    own, before, after = (
        part[:, middle, middle].tolist() for part in (pixel.kernel, pixel.before, pixel.after)
    )
    sums = pixel.kernel.sum((1, 2)).tolist()
    return "  \n".join(
        f"{channel} **{255 * old:.1f} → {255 * new:.1f}**, own weight {weight:.2f} of {total:.2f}"
        for channel, old, new, weight, total in zip(CHANNELS, before, after, own, sums, strict=True)
    )


# --- all strengths ----------------------------------------------------------------------------------------


def _strengths(scene: Scene, story: Story, defense: AdvFilter) -> None:
    st.subheader("From no attack to the strongest", anchor=False)
    st.markdown(
        f"PGD with 40 steps on the clean photo, at each of the {len(ALL) - 1} strengths that the denoisers "
        "have learned from. It runs once; then every denoiser of the family can be tried on its photos."
    )
    key: tuple[Any, ...] = ("strengths", scene.key)
    if st.button("Attack at all strengths", icon=":material/play_arrow:", key="attack_at_all"):
        st.session_state[_ASKED] = key
    if st.session_state.get(_ASKED) != key:
        return
    y = torch.tensor([story.source], device=story.clean.x.device)
    work = workbench().aside(key, lambda: attacked_at_all(story.clean.x, y, scene.classifier), len(ALL))
    follow(_through, work, scene, story, defense)


def _through(work: Background[Tensor], scene: Scene, story: Story, defense: AdvFilter) -> None:
    progress(work, " strengths", "The attack failed at one of the strengths.")
    if not work.seen or len(work.parts) < work.total:
        return
    network = _network(scene, defense)
    rows = workbench().once(
        ("denoised", scene.key, defense.variant),
        lambda: denoised_at_all(story.clean.x, work.parts, scene.classifier, network),
    )
    counts = RESULT if RESULT in rows[0].photos else f"head {defense.head}"
    frames, chart = st.columns(2, gap="large")
    with frames:
        scrubber(
            [to_png(_side_by_side(row, counts)) for row in rows],
            [_caption(row, counts) for row in rows],
            key="strength_frames",
            label="Strength of the attack",
            start="first",
        )
    chart.plotly_chart(
        quality_figure(rows),
        config=PLAIN,
        key="quality",
        alt="PSNR and SSIM to the clean photo over ε, of the attacked photo and of what is made of it",
    )
    chart.markdown(_kept(rows, counts, story.labels[story.source]))


def _side_by_side(row: AtStrength, counts: str) -> Picture:
    """The attacked photo, and what the denoiser makes of it, with a grey line between them."""
    pictures = [render(Step(name, row.photos[name], "photo")) for name in (ATTACKED, counts)]
    height, width = pictures[0].shape[:2]
    gap = np.full((height, max(1, width // _GAP), 3), 128, np.uint8)
    return np.hstack([pictures[0], gap, pictures[1]])


def _caption(row: AtStrength, counts: str) -> str:
    if not row.eps:
        return f"No attack: {row.labels[ATTACKED]}. Denoised: {row.labels[counts]}, {row.psnr[counts]:.1f} dB"
    before, after = (f"{row.labels[name]}, {row.psnr[name]:.1f} dB" for name in (ATTACKED, counts))
    return f"ε = {row.eps:g}. Attacked: {before}. Denoised: {after}"


def _kept(rows: Sequence[AtStrength], counts: str, label: str) -> str:
    """At how many strengths the label stands, with and without the denoiser."""
    attacked = rows[1:]
    alone, helped = (sum(row.labels[name] == label for row in attacked) for name in (ATTACKED, counts))
    return (
        f"The classifier says **{label}** at **{alone}** of {len(attacked)} strengths by itself and at "
        f"**{helped}** behind the denoiser."
    )


# --- the card ---------------------------------------------------------------------------------------------


def _measured(card: dict[str, Any], defense: AdvFilter) -> None:
    val = card["val"]
    counts = RESULT if RESULT in val else f"head {defense.head}"
    with st.expander(f"On {val['photos']} photos that it has not seen", icon=":material/table:"):
        columns = {
            f"{name}, {words}": val[name][figure]
            for figure, words in (("accuracy", "right (%)"), ("psnr", "PSNR (dB)"), ("ssim", "SSIM"))
            for name in (ATTACKED, counts)
        }
        st.dataframe(
            [
                {"ε": f"{eps:g}", **{name: values[number] for name, values in columns.items()}}
                for number, eps in enumerate(val["strengths"])
            ],
            hide_index=True,
            width="stretch",
        )
