import numpy as np
import pytest

from evaluation.one_photo.gradient_smoothing import Ribbon
from story.render import HIGHLIGHT, NEUTRAL, TARGET_COLOUR, TRUE_COLOUR
from ui.charts.attack import progress_figure
from ui.charts.gradient_smoothing import ribbon_figure
from ui.charts.pixel_deflection import fill_map_figure, map_figure
from ui.charts.smoothing_vote import kernel_figure

LABELS = ("cat", "dog", "cup")


@pytest.fixture
def ribbon() -> Ribbon:
    lams = np.linspace(0, 5, 51)
    cat = lams / 5
    return Ribbon(lams, np.stack([cat, 0.7 * (1 - cat), 0.3 * (1 - cat)], axis=1).astype(np.float32))


def test_the_ribbon_shows_both_labels_and_marks_lambda(ribbon):
    figure = ribbon_figure(ribbon, 2.3, LABELS, true=0, against=1)
    *lines, mark = figure.data
    assert [line.name for line in lines] == ["cat", "dog", "likeliest other label"]
    assert [line.line.color for line in lines] == [TRUE_COLOUR, TARGET_COLOUR, NEUTRAL]
    assert len({line.line.dash for line in lines}) == 3
    for number, line in enumerate(lines):
        np.testing.assert_allclose(line.y, ribbon.probabilities[:, number])
    assert mark.x == (2.3, 2.3)
    assert mark.line.color == HIGHLIGHT
    assert mark.text[-1].strip() == "λ = 2.3"
    assert not mark.showlegend


def test_the_mark_of_the_ribbon_moves_and_its_words_stay_on_the_chart(ribbon):
    for lam, place in ((0.0, "bottom right"), (5.0, "bottom left"), (0.3, "bottom right")):
        mark = ribbon_figure(ribbon, lam, LABELS, true=0, against=1).data[-1]
        assert (mark.x, mark.text[-1].strip(), mark.textposition) == ((lam, lam), f"λ = {lam:g}", place)


def test_without_an_attack_the_ribbon_shows_the_rival(ribbon):
    figure = ribbon_figure(ribbon, 0.0, LABELS, true=0, against=None)
    assert [line.name for line in figure.data] == ["cat", "likeliest other label", "λ"]
    assert figure.data[1].line.color == NEUTRAL
    np.testing.assert_allclose(figure.data[1].y, ribbon.probabilities[:, 1], rtol=1e-6)


def test_the_ribbon_does_not_draw_one_label_twice(ribbon):
    assert len(ribbon_figure(ribbon, 1.0, LABELS, true=0, against=0).data) == 3


def test_progress_grows_over_a_fixed_axis():
    figure = progress_figure([0.1, 0.4], 50, "golf ball", is_target=True)
    assert list(figure.data[0].y) == [0.1, 0.4]
    assert figure.data[0].line.color == TARGET_COLOUR
    assert tuple(figure.layout.xaxis.range) == (0, 50)
    assert figure.layout.showlegend


def test_a_label_to_be_left_has_the_clean_colour():
    assert progress_figure([0.9], 5, "cat", is_target=False).data[0].line.color == TRUE_COLOUR


def test_the_map_figure_compares_shares_of_pixels():
    values = np.linspace(0, 1, 2001)
    figure = fill_map_figure(map_figure(), values, values[values < 0.5])
    assert [line.name for line in figure.data] == ["all pixels", "moved pixels"]
    everything, moved = (np.asarray(line.y) for line in figure.data)
    np.testing.assert_allclose(everything, 0.05, atol=0.001)
    np.testing.assert_allclose(moved[:10], 0.1, atol=0.002)
    assert moved[10:].max() == 0
    assert fill_map_figure(figure, values, values[:0]) is figure
    assert figure.data[1].y.sum() == 0


@pytest.mark.parametrize(("side", "written"), [(5, True), (7, True), (9, False)])
def test_a_kernel_is_written_out_while_it_fits(side, written):
    weights = np.arange(side**2, dtype=float).reshape(side, side)
    figure = kernel_figure(weights)
    (heat,) = figure.data
    np.testing.assert_array_equal(heat.z, weights)
    assert list(heat.x) == list(heat.y) == list(range(-(side // 2), side // 2 + 1))
    assert bool(heat.texttemplate) == written
    # Streamlit's theme puts its own colours in the place of #000001, #000002 and so on.
    assert [colour for _, colour in heat.colorscale if colour.startswith("#")] == []
    assert heat.colorscale[0] == (0, "rgb(0, 0, 4)")
