"""Wavelet shrinkage against PyWavelets and scikit-image."""

import numpy as np
import pytest
import pywt
import torch
from skimage.data import astronaut
from skimage.restoration import denoise_wavelet

from ops.wavelets import WAVELETS, automatic_levels, decompose, denoise, mosaic, recompose

SIZES = [(101, 75), (64, 64), (9, 33), (5, 3)]


def photo(height, width, dtype=np.float64, first=60):
    return (astronaut()[first : first + height, 150 : 150 + width] / 255).astype(dtype)


def batched(picture):
    return torch.tensor(picture).permute(2, 0, 1)[None]


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("size", [*SIZES, (2, 2), (1, 6)])
@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.filterwarnings("ignore:Level value of")
def test_the_transform_is_that_of_pywavelets(wavelet, size, levels):
    picture = photo(*size)
    rest, details = decompose(batched(picture), wavelet, levels)
    for channel in range(3):
        expected = pywt.wavedecn(picture[..., channel], wavelet, level=levels)
        np.testing.assert_allclose(rest[0, channel], expected[0], atol=1e-13)
        for level, bands in zip(details, expected[1:], strict=True):
            for band, key in enumerate(("da", "ad", "dd")):
                np.testing.assert_allclose(level[0, channel, band], bands[key], atol=1e-13)
    back = recompose(rest, details, wavelet)[..., : size[0], : size[1]]
    # The filters of sym4 are orthogonal to twelve digits.
    torch.testing.assert_close(back, batched(picture), atol=1e-11, rtol=0)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-8), (np.float32, 1e-4)])
@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("ycbcr", [True, False])
@pytest.mark.parametrize("sigma", [0.04, 0.2, None])
@pytest.mark.parametrize("levels", [0, 1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.filterwarnings("ignore:Level value of")
def test_equal_to_scikit_image(dtype, tolerance, wavelet, mode, ycbcr, sigma, levels, size):
    picture = photo(*size, dtype)
    expected = denoise_wavelet(
        picture,
        sigma=sigma,
        wavelet=wavelet,
        mode=mode,
        wavelet_levels=levels or None,
        convert2ycbcr=ycbcr,
        channel_axis=-1,
    )
    shrinkage = denoise(batched(picture), sigma=sigma, wavelet=wavelet, mode=mode, levels=levels, ycbcr=ycbcr)
    np.testing.assert_allclose(shrinkage.result[0].permute(1, 2, 0), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("sigma", [0.04, None])
@pytest.mark.parametrize("ycbcr", [True, False])
def test_alone_as_in_a_batch(sigma, ycbcr):
    x = torch.cat([batched(photo(33, 40, first=first)) for first in (20, 60, 90)])
    together = denoise(x, sigma=sigma, ycbcr=ycbcr)
    for number in range(3):
        alone = denoise(x[number : number + 1], sigma=sigma, ycbcr=ycbcr)
        assert torch.equal(alone.result[0], together.result[number])
        assert torch.equal(alone.thresholds.expand(1, 3, -1, 3)[0], together.thresholds[number])


@pytest.mark.parametrize("sigma", [0.04, 0.0, None])
@pytest.mark.parametrize("ycbcr", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (16, 16)])
def test_a_photo_of_one_colour_stays(sigma, ycbcr, size):
    x = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, *size)
    torch.testing.assert_close(denoise(x, sigma=sigma, ycbcr=ycbcr).result, x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("ycbcr", [True, False])
@pytest.mark.parametrize("sigma", [0.05, None])
def test_differentiable(wavelet, ycbcr, sigma):
    # Not of 8 bits: equal coefficients have no median that could be differentiated.
    x = torch.rand(
        1, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    ).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: denoise(x, sigma=sigma, wavelet=wavelet, ycbcr=ycbcr, levels=1).result, x, atol=1e-4
    )


def test_levels_are_three_less_than_there_can_be():
    assert automatic_levels(224, 224, "db1") == 4
    assert automatic_levels(224, 20, "db1") == 1
    assert automatic_levels(1, 1, "sym4") == 1


def test_small_coefficients_go_and_their_thresholds_are_told():
    x = batched(photo(64, 64))
    shrunk = denoise(x, sigma=0.02, mode="hard", levels=2)
    assert shrunk.thresholds.shape == (1, 3, 2, 3)
    for level, (before, after) in enumerate(zip(shrunk.before, shrunk.after, strict=True)):
        threshold = shrunk.thresholds[:, :, level, :, None, None]
        assert torch.equal(after, torch.where(before.abs() < threshold, 0, before))
        assert 0 < (after != 0).float().mean() < 1


@pytest.mark.parametrize("size", [(64, 64), (75, 101), (3, 5), (1, 1)])
def test_the_mosaic_holds_every_band(size):
    shrunk = denoise(batched(photo(*size)), sigma=0.02, levels=2)
    picture = mosaic(shrunk.before, shrunk.rest, shrunk.before, size)
    assert picture.shape == (1, 1, *size)
    assert picture.min() >= 0
    assert picture.max() <= 1
    if size == (64, 64):
        for rows in (slice(0, 16), slice(16, 32)):
            for columns in (slice(0, 16), slice(16, 32)):
                assert picture[..., rows, columns].max() == 1
        assert (
            picture[..., 32:, :32].max() == picture[..., :32, 32:].max() == picture[..., 32:, 32:].max() == 1
        )
