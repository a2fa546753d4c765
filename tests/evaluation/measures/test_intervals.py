import pytest
import torch
from scipy.stats import binomtest

from evaluation.measures.intervals import mean_interval, wilson


@pytest.mark.parametrize("trials", [1, 2, 20, 333, 5000])
def test_equals_scipys(trials):
    for hits in {0, 1, trials // 3, trials - 1, trials}:
        expected = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
        assert wilson(hits, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)
        assert 0 <= wilson(hits, trials)[0] <= hits / trials <= wilson(hits, trials)[1] <= 1


def test_without_trials_nothing_is_known():
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize("hits", [-1, 3])
def test_impossible_counts_are_refused(hits):
    with pytest.raises(ValueError, match=f"0 to the 2 trials, not {hits}"):
        wilson(hits, 2)


def test_a_mean_by_hand():
    values = [0.1, 0.4, 0.4, 0.9]
    spread = (sum((value - 0.45) ** 2 for value in values) / 3) ** 0.5
    half = 1.959963984540054 * spread / 2
    assert mean_interval(torch.tensor(values)) == pytest.approx((0.45, 0.45 - half, 0.45 + half))
    with pytest.raises(ValueError, match="at least two values"):
        mean_interval(torch.tensor([0.3]))
