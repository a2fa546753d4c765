"""ROC, area and calibration against rank statistics and plain counting."""

import pytest
import torch
from scipy.stats import mannwhitneyu

from evaluation.measures.detection import auc, calibration, roc, true_alarms_at

SCORES = torch.rand(200, generator=torch.Generator().manual_seed(0)).mul(20).round().div(20)  # many ties
POSITIVE = torch.rand(200, generator=torch.Generator().manual_seed(1)) < 0.2 + 0.6 * SCORES


def test_the_area_is_the_rank_statistic():
    high, low = SCORES[POSITIVE].numpy(), SCORES[~POSITIVE].numpy()
    expected = mannwhitneyu(high, low).statistic / (len(high) * len(low))
    assert auc(SCORES, POSITIVE) == pytest.approx(expected, abs=1e-6)
    assert auc(torch.ones(4), torch.tensor([True, False, True, False])) == 0.5


def test_every_point_of_the_curve_is_a_threshold():
    false, true = roc(SCORES, POSITIVE)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    for threshold, x, y in zip(SCORES.unique().flip(0), false[1:], true[1:], strict=True):
        alarm = threshold <= SCORES
        assert x == pytest.approx(float(alarm[~POSITIVE].float().mean()))
        assert y == pytest.approx(float(alarm[POSITIVE].float().mean()))


def test_true_alarms_at_a_price():
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    positive = torch.tensor([True, False, True, False])
    assert true_alarms_at(scores, positive, 0.0) == 0.5
    assert true_alarms_at(scores, positive, 0.5) == 1


def test_calibration_by_hand():
    scores = torch.tensor([0.05, 0.05, 0.75, 1.0])
    told = calibration(scores, torch.tensor([False, True, True, True]))
    assert told["bins"] == [
        {"count": 2, "score": 0.05, "share": 0.5},
        {"count": 1, "score": 0.75, "share": 1.0},
        {"count": 1, "score": 1.0, "share": 1.0},
    ]
    assert told["error"] == pytest.approx(0.5 * 0.45 + 0.25 * 0.25)
    assert told["brier"] == pytest.approx((0.05**2 + 0.95**2 + 0.25**2) / 4, abs=1e-4)


def test_one_kind_alone_has_no_curve():
    with pytest.raises(ValueError, match="both kinds"):
        roc(torch.ones(2), torch.ones(2, dtype=torch.bool))
