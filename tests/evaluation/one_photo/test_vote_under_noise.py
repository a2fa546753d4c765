"""The vote under noise on one photo."""

import pytest
import torch

from defenses import SmoothingVote
from evaluation.one_photo.smoothing_vote import LEVELS, noisy, under_noise


def test_each_level_is_the_vote_on_noisy_photos(photos, tiny_classifier):
    x, model = photos[:1], tiny_classifier
    defense = SmoothingVote()
    rows = under_noise(x, model, defense, draws=4, batch=7)
    assert [row.sigma for row in rows] == list(LEVELS)
    true = int(model(x).argmax())
    for row in rows:
        labels = []
        for photo in noisy(x, row.sigma, 4):
            steps = defense.steps(photo[None], model)
            labels.append(int(defense.decision(steps, model).labels))
        assert row.right == pytest.approx(labels.count(true) / 4)
        assert row.rejected == pytest.approx(labels.count(-1) / 4)
        assert row.right + row.wrong + row.rejected == pytest.approx(1)
        alone = (model(noisy(x, row.sigma, 4)).argmax(1) == true).float().mean()
        assert row.alone == pytest.approx(float(alone))


def test_no_noise_is_the_photo_itself(photos):
    assert torch.equal(noisy(photos[:1], 0.0, 3), photos[:1].expand(3, -1, -1, -1))


def test_the_noise_has_the_stated_deviation():
    grey = torch.full((1, 3, 50, 60), 0.5)
    assert noisy(grey, 0.1, 5).std().item() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(noisy(grey, 0.1, 5), noisy(grey, 0.1, 5))
