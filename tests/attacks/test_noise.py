"""Noise against the distribution that it promises."""

import pytest
import torch
from scipy import stats

from attacks import ATTACKS


@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_the_noise_is_normal_and_of_its_deviation(sigma):
    grey = torch.full((1, 3, 40, 50), 0.5, dtype=torch.float64)
    noise = ATTACKS["noise"](sigma=sigma).run(grey, torch.tensor([0]), torch.nn.Identity()).attacked - grey
    assert stats.kstest(noise.flatten().numpy() / sigma, "norm").pvalue > 1e-3


def test_what_leaves_the_range_is_clipped():
    flat = torch.stack([torch.zeros(3, 20, 20), torch.ones(3, 20, 20)])
    attacked = ATTACKS["noise"](sigma=0.3).run(flat, torch.tensor([0, 0]), torch.nn.Identity()).attacked
    for photo, value in zip(attacked, (0, 1), strict=True):
        assert (photo == value).double().mean().item() == pytest.approx(0.5, abs=0.05)
