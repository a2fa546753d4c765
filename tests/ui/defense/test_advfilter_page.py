"""The page of AdvFilter without a browser."""

import time

import pytest
import torch
from streamlit.testing.v1 import AppTest

from defenses import AdvFilter
from denoisers import STRENGTHS, VARIANTS
from evaluation.one_photo.advfilter import ATTACKED, AtStrength, PixelKernel
from story import Step
from tests.ui.visiting import SCRIPT, page_file
from tests.ui.widget_keys import key_of
from ui.browser import Placement
from ui.defense import advfilter

TITLES = ["What happens to one pixel", "From no attack to the strongest"]


def page(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=240)
    app.query_params.update(
        {"attack": "noise", "defense": "advfilter", "size": "96", "classifier": "builtin-vgg"} | query
    )
    app = app.switch_page(page_file("advfilter")).run()
    assert not app.exception
    assert not app.error
    return app


def words(app: AppTest) -> str:
    return "\n".join(text.value for text in app.markdown)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_denoiser_of_the_family(variant):
    app = page(**{"defense.variant": variant})
    assert [heading.value for heading in app.main.subheader] == TITLES
    adds = VARIANTS[variant].kind == "add"
    kernels = 0 if adds else 2 if variant == "pa-filt" else 1
    assert len(app.get("plotly_chart")) == kernels
    assert len(app.main.get("image")) == 2 * kernels
    assert ("has no kernels" in words(app)) == adds
    assert ("Here the fusion takes" in words(app)) == (variant == "pa-filt")
    assert not [info.value for info in app.info if "another classifier" in info.value]


def test_a_classifier_that_it_has_not_learned_with_is_a_sentence():
    app = page(classifier="builtin", on="clean")
    assert [info.value for info in app.info if "another classifier" in info.value]


def test_all_strengths_then_another_denoiser_on_the_same_photos():
    app = page(on="clean")
    app.button(key="attack_at_all").click().run()
    for _ in range(240):
        if "strengths by itself" in words(app):
            break
        time.sleep(1)
        app.run()
    assert f"of {len(STRENGTHS)} strengths by itself" in words(app)
    assert len(app.get("plotly_chart")) == 3
    app.selectbox(key=key_of("defense.advfilter.variant")).set_value("multi-head").run()
    # One run: the photos are there.
    assert f"of {len(STRENGTHS)} strengths by itself" in words(app)
    assert not app.exception
    assert not app.error


@pytest.fixture
def session(monkeypatch) -> dict:
    state: dict = {}
    monkeypatch.setattr(advfilter.st, "session_state", state)
    return state


def test_the_pixel_is_the_most_changed_one_until_one_is_chosen(session):
    change = torch.zeros(1, 1, 20, 30)
    change[0, 0, 7, 11] = 1
    change[0, 0, 0, 0] = 2  # its neighbours would not all be inside
    steps = [Step("difference", change, "heat")]
    assert advfilter._at(steps, 5) == (7, 11)
    for row, column in ((2, 2), (9, 20), (17, 27)):
        advfilter._select(Placement((column - 2) / 30, (row - 2) / 20, 5 / 30, 0.0), 5, 20, 30)
        assert advfilter._at(steps, 5) == (row, column)
    # In half the working size it is at the same place, and so far inside that all neighbours are.
    smaller = [Step("difference", torch.zeros(1, 1, 10, 15), "heat")]
    assert advfilter._at(smaller, 5) == (7, 12)


def test_a_kernel_in_words():
    kernel = torch.full((3, 3, 3), 0.1)
    kernel[:, 1, 1] = torch.tensor([0.2, 0.5, 1.0])
    before, after = torch.zeros(3, 3, 3), torch.zeros(3, 3, 3)
    before[:, 1, 1], after[0, 1, 1] = 1.0, 0.5
    assert advfilter._in_words(PixelKernel(kernel, before, after)).splitlines() == [
        "red **255.0 → 127.5**, own weight 0.20 of 1.00  ",
        "green **255.0 → 0.0**, own weight 0.50 of 1.30  ",
        "blue **255.0 → 0.0**, own weight 1.00 of 1.80",
    ]


@pytest.fixture
def rows() -> list[AtStrength]:
    photo = torch.zeros(1, 3, 8, 8)
    told = [(0.0, "cat", "cat", 100.0), (0.003, "dog", "cat", 48.0), (0.5, "dog", "fox", 9.0)]
    return [
        AtStrength(
            eps,
            {ATTACKED: photo, "result": photo + 1},
            {ATTACKED: psnr, "result": 30.0},
            {},
            {ATTACKED: attacked, "result": denoised},
        )
        for eps, attacked, denoised, psnr in told
    ]


def test_a_frame_and_its_words(rows):
    picture = advfilter._side_by_side(rows[1], "result")
    assert picture.shape == (8, 17, 3)
    assert (picture[:, 0].max(), picture[:, -1].min()) == (0, 255)
    assert advfilter._caption(rows[0], "result") == "No attack: cat. Denoised: cat, 30.0 dB"
    assert advfilter._caption(rows[1], "result") == (
        "ε = 0.003. Attacked: dog, 48.0 dB. Denoised: cat, 30.0 dB"
    )
    assert advfilter._kept(rows, "result", "cat") == (
        "The classifier says **cat** at **0** of 2 strengths by itself and at **1** behind the denoiser."
    )


def test_the_heads_of_multi_head_are_there_to_choose():
    app = page(**{"defense.variant": "multi-head", "defense.head": "2"})
    assert app.slider(key=key_of("defense.advfilter.head")).value == 2
    assert "**head 2**: the weight" in words(app)
    assert AdvFilter(variant="multi-head", head=2).head == 2
