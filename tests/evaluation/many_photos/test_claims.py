"""A claim holds, does not, or is left open, as the photos say."""

import numpy as np
import pyarrow as pa
import pytest

from evaluation.many_photos.claims import Cells, claim, first_minus_second, narrower
from evaluation.many_photos.rows import Rows
from evaluation.many_photos.run_folder import SCHEMA


def shares(first, second, photos=400):
    draw = np.random.default_rng(1).random((2, photos))
    return (draw < np.array([[first], [second]])).astype(float)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(0.9, 0.6, "holds"), (0.6, 0.9, "does not hold"), (0.5, 0.51, "undecided"), (1, 1, "undecided")],
)
def test_verdicts(first, second, verdict):
    figures = shares(first, second)
    found = claim("a is better", figures, first_minus_second)
    assert found.verdict == verdict
    assert found.value == pytest.approx(100 * (figures[0] - figures[1]).mean())
    assert found.low <= found.value <= found.high


def test_a_few_photos_decide_nothing():
    certain = np.array([[1.0], [0.0]])
    assert claim("", certain.repeat(29, axis=1), first_minus_second).verdict == "undecided"
    assert claim("", certain.repeat(30, axis=1), first_minus_second).verdict == "holds"


def test_the_interval_is_that_of_scipy():
    from scipy.stats import bootstrap

    figures = shares(0.8, 0.7)
    expected = bootstrap(
        (figures[0] - figures[1],), np.mean, n_resamples=4000, method="percentile", random_state=0
    ).confidence_interval
    found = claim("", figures, first_minus_second)
    assert found.low / 100 == pytest.approx(expected.low, abs=0.006)
    assert found.high / 100 == pytest.approx(expected.high, abs=0.006)


def test_figures_in_words():
    found = claim("", np.array([[1.0, 1.0], [0.5, 0.5]]), first_minus_second)
    assert found.figures == "+50.0 points (+50.0 to +50.0)"
    found = claim("", np.array([[1.0], [0.98765]]), first_minus_second, scale=1, unit="", decimals=4)
    assert found.figures == "+0.0123 (+0.0123 to +0.0123)"


def test_narrower_compares_ranges():
    means = np.array([[0.1, 0.9, 0.5, 0.6], [0.5, 0.5, 0.1, 0.4]])
    assert narrower(means) == pytest.approx([0.7, -0.3])


def test_no_photos():
    with pytest.raises(ValueError, match="without photos"):
        claim("", np.zeros((2, 0)), first_minus_second)


def test_cells_pair_the_photos():
    rows = [
        {
            "number": number,
            "attack": "none",
            "defense": defense,
            "outcome": "unread" if number == 2 else outcome,
            "ssim": float(number),
        }
        for defense, outcome in (("lgs", "right"), ("slgs", "wrong"))
        for number in (3, 1, 2)
    ]
    cells = Cells(Rows(pa.Table.from_pylist(rows, SCHEMA)))
    assert cells.photos == 2
    assert cells.right("none", "lgs").tolist() == [1, 1]
    assert cells.right("none", "slgs").tolist() == [0, 0]
    assert cells.ssim("none", "slgs").tolist() == [1, 3]
    with pytest.raises(KeyError):
        cells.right("pgd", "lgs")
