"""The metrics equal scikit-image's, on photos of any size."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from evaluation.metrics import psnr, ssim


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 24, 31, generator=generator)
    return x, (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def test_ssim_is_scikit_images(pair):
    x, other = pair
    expected = structural_similarity(x[0].numpy(), other[0].numpy(), channel_axis=0, data_range=1)
    assert ssim(x, other) == pytest.approx(float(expected), abs=1e-6)
    assert ssim(x[0], other[0]) == ssim(x, other)


def test_psnr_is_scikit_images(pair):
    x, other = pair
    expected = peak_signal_noise_ratio(x.numpy(), other.numpy(), data_range=1)
    assert psnr(x, other) == pytest.approx(float(expected), abs=1e-4)


def test_psnr_by_hand():
    assert psnr(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.1)) == pytest.approx(20, abs=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (2, 2), (3, 9), (6, 6), (7, 7), (40, 8)])
def test_any_size(size):
    generator = torch.Generator().manual_seed(0)
    x, other = torch.rand(2, 3, *size, generator=generator)
    assert ssim(x, x) == pytest.approx(1)
    assert psnr(x, x) == math.inf
    assert -1 <= ssim(x, other) < 1
    assert math.isfinite(psnr(x, other))


@pytest.mark.parametrize("metric", [ssim, psnr])
def test_photos_of_different_size_are_refused(metric):
    with pytest.raises(ValueError, match="one shape"):
        metric(torch.zeros(3, 8, 8), torch.zeros(3, 8, 1))
