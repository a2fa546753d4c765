"""A step's picture: right colours, right legend, no division by zero, lossless."""

from __future__ import annotations

import base64
import io
from itertools import combinations

import numpy as np
import pytest
import torch
from PIL import Image

from story import Step
from story import render as colours
from story.render import enlarge, legend, limits, render, thumbnail_address, to_png

KINDS = ("photo", "heat", "signed", "mask")


def luminance(colour: np.ndarray) -> np.ndarray:
    """WCAG relative luminance of sRGB colours (..., 3) in 0-255."""
    share = np.asarray(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(first, second) -> float:
    low, high = sorted([float(luminance(first)), float(luminance(second))])
    return (high + 0.05) / (low + 0.05)


def rgb(text: str) -> np.ndarray:
    return np.array([int(text[place : place + 2], 16) for place in (1, 3, 5)])


def as_seen_by_a_deuteranope(colour: np.ndarray) -> np.ndarray:
    """Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB; returns sRGB 0-255."""
    share = np.asarray(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    )
    seen = (linear @ matrix.T).clip(0, 1)
    return 255 * np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)


def test_a_photo_is_shown_as_it_is_saved():
    x = torch.rand(2, 3, 5, 7)
    x[0, 0, 0] = torch.tensor([0.5, 1.5, 2.5, 126.5, 253.5, 254.5, 0]) / 255  # ties: where roundings differ
    picture = render(Step("photo", x, "photo"), 0)
    assert picture.shape == (5, 7, 3)
    assert picture.dtype == np.uint8
    rounded = (x[0] * 255).round() / 255
    assert torch.equal(torch.from_numpy(picture).permute(2, 0, 1).float() / 255, rounded)


def test_the_index_picks_the_photo_of_the_batch():
    x = torch.rand(2, 3, 4, 4)
    step = Step("photo", x, "photo")
    assert np.array_equal(render(step, 1), render(Step("photo", x[1:], "photo")))


def test_heat_runs_from_zero_to_one_or_to_its_own_maximum():
    ramp = legend("heat")
    map_ = torch.tensor([[[[0.0, 0.25, 0.5]]]])
    fixed, own = Step("weight", map_, "heat"), Step("gradient", map_, "heat", own_scale=True)
    assert limits(fixed) == (0, 1)
    assert limits(own) == (0, 0.5)
    assert np.array_equal(render(fixed)[0], ramp[[0, 64, 128]])
    assert np.array_equal(render(own)[0], ramp[[0, 128, 255]])


def test_heat_over_one_gets_the_colour_of_the_end():
    assert np.array_equal(
        render(Step("weight", torch.full((1, 1, 1, 1), 2.3), "heat"))[0, 0], legend("heat")[-1]
    )


def test_signed_is_symmetric_and_zero_is_the_neutral_colour():
    step = Step("difference", torch.tensor([[[[-0.2, 0.0, 0.1, 0.2]]]]), "signed")
    assert limits(step) == pytest.approx((-0.2, 0.2))
    row = render(step)[0].astype(int)
    assert np.array_equal(row[[0, 3]], legend("signed")[[0, 255]])
    assert np.ptp(row[1]) <= 3
    assert row[1].min() > 240
    assert row[0, 2] > row[0, 0]  # minus is blue
    assert row[3, 0] > row[3, 2]  # plus is orange


def test_signed_in_three_channels_shows_the_channel_that_changes_most():
    three = torch.zeros(1, 3, 1, 3)
    three[0, :, 0, 0] = torch.tensor([0.1, -0.4, 0.2])
    three[0, :, 0, 1] = torch.tensor([0.3, -0.3, 0.0])  # a change of colour alone must not vanish
    one = torch.tensor([[[[-0.4, 0.3, 0.0]]]])
    assert np.array_equal(render(Step("noise", three, "signed")), render(Step("noise", one, "signed")))
    assert limits(Step("noise", three, "signed")) == pytest.approx((-0.4, 0.4))


def test_a_mask_is_black_and_white():
    picture = render(Step("mask", torch.tensor([[[[0.0, 1.0]]]]), "mask"))
    assert picture.tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e-45, 3e38, float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("own_scale", [False, True])
@pytest.mark.filterwarnings("error")
def test_a_constant_map_is_drawn_without_a_warning(kind, value, own_scale):
    step = Step("flat", torch.full((1, 3 if kind == "photo" else 1, 1, 4), value), kind, own_scale=own_scale)
    low, high = limits(step)
    assert low < high
    picture = render(step)
    assert picture.shape == (1, 4, 3)
    assert (picture == picture[0, 0]).all()


def test_what_is_not_a_number_is_drawn_as_zero():
    holes = torch.tensor([[[[float("nan"), float("inf"), 0.5]]]])
    filled = torch.tensor([[[[0.0, 0.0, 0.5]]]])
    for own_scale in (False, True):
        assert np.array_equal(
            render(Step("a", holes, "heat", own_scale=own_scale)),
            render(Step("a", filled, "heat", own_scale=own_scale)),
        )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool])
def test_any_precision_and_a_graph(dtype):
    map_ = torch.tensor([[[[0.0, 1.0]]]]).to(dtype)
    if dtype.is_floating_point:
        map_.requires_grad_(True)
    assert np.array_equal(render(Step("m", map_, "mask"))[0, 1], [255, 255, 255])
    assert render(Step("p", map_.expand(1, 3, 1, 2), "photo"))[0, 1].tolist() == [255, 255, 255]


def test_legends():
    assert legend("photo").shape == (0, 3)
    for kind in ("heat", "signed", "mask"):
        assert legend(kind).shape == (256, 3)
        assert legend(kind).dtype == np.uint8
    legend("heat")[:] = 0
    assert legend("heat").any(), "a legend handed out is a copy"


def test_heat_grows_steadily_brighter_also_for_a_deuteranope():
    ramp = legend("heat")
    assert (np.diff(luminance(ramp[::5])) > 0).all()
    assert (np.diff(luminance(as_seen_by_a_deuteranope(ramp[::5]))) > 0).all()
    assert contrast(ramp[0], ramp[-1]) > 7


def test_signed_darkens_towards_both_ends_which_a_deuteranope_tells_apart():
    ramp = legend("signed")
    brightness = luminance(ramp)
    assert (np.diff(brightness[:128]) > -1e-3).all()
    assert (np.diff(brightness[128:]) < 1e-3).all()
    assert abs(brightness[0] - brightness[-1]) < 0.05
    ends = as_seen_by_a_deuteranope(ramp[[0, -1]])
    assert np.abs(ends[0] - ends[1]).max() > 80


MEANINGS = {
    name: getattr(colours, name)
    for name in ("CLEAN", "ATTACKED", "DEFENDED", "TRUE_COLOUR", "TARGET_COLOUR", "HIGHLIGHT", "NEUTRAL")
}


@pytest.mark.parametrize("background", ["#ffffff", "#0e1117"])
@pytest.mark.parametrize("name", MEANINGS)
def test_meaning_colours_stand_out_from_light_and_dark(name, background):
    assert contrast(rgb(MEANINGS[name]), rgb(background)) >= 3


@pytest.mark.parametrize(
    "family",
    [("CLEAN", "ATTACKED", "DEFENDED", "HIGHLIGHT", "NEUTRAL"), ("TRUE_COLOUR", "TARGET_COLOUR", "NEUTRAL")],
)
def test_meaning_colours_of_one_chart_differ_also_for_a_deuteranope(family):
    for first, second in combinations(family, 2):
        pair = np.stack([rgb(MEANINGS[first]), rgb(MEANINGS[second])])
        assert np.linalg.norm(pair[0] - pair[1]) > 60, (first, second)
        seen = as_seen_by_a_deuteranope(pair)
        assert np.linalg.norm(seen[0] - seen[1]) > 30, (first, second)


def test_enlarge_repeats_pixels():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = enlarge(picture, 3)
    assert large.shape == (6, 6, 3)
    assert np.array_equal(large[::3, ::3], picture)
    assert np.array_equal(large[2::3, 2::3], picture)


def test_png_is_lossless_and_always_the_same():
    picture = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    file = to_png(picture)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file))), picture)
    assert file == to_png(picture.copy())


def test_a_thumbnails_address_holds_a_small_jpeg_of_it():
    picture = np.full((96, 96, 3), (200, 120, 40), np.uint8)
    kind, _, text = thumbnail_address(picture).partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as shown:
        assert (shown.format, shown.size) == ("JPEG", (96, 96))
        assert abs(np.asarray(shown).astype(int) - picture).max() <= 4
