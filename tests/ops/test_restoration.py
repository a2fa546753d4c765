"""The denoisers are scikit-image's, photo by photo, and a gradient passes them."""

import numpy as np
import pytest
import skimage.restoration
import torch

from ops import restoration

DENOISERS = {
    "tvm": (
        lambda x: restoration.total_variation(x, 0.1),
        lambda p: skimage.restoration.denoise_tv_chambolle(p, weight=0.1, channel_axis=-1),
    ),
    "bilateral": (
        lambda x: restoration.bilateral(x, 0.1, 2.0),
        lambda p: skimage.restoration.denoise_bilateral(
            p, sigma_color=0.1, sigma_spatial=2.0, channel_axis=-1
        ),
    ),
    "non-local means": (
        lambda x: restoration.non_local_means(x, 0.1),
        lambda p: skimage.restoration.denoise_nl_means(
            p, patch_size=5, patch_distance=6, h=0.08, sigma=0.1, fast_mode=True, channel_axis=-1
        ),
    ),
    "wiener": (
        lambda x: restoration.wiener(x, 0.1),
        lambda p: np.stack(
            [skimage.restoration.wiener(p[..., c], np.ones((1, 1)), 0.1, clip=False) for c in range(3)], -1
        ),
    ),
}


@pytest.mark.parametrize("name", DENOISERS)
def test_equal_to_scikit_image(name, photos):
    ours, theirs = DENOISERS[name]
    result = ours(photos)
    assert result.dtype == photos.dtype
    for photo, smooth in zip(photos, result, strict=True):
        expected = theirs(photo.permute(1, 2, 0).double().numpy())
        np.testing.assert_allclose(smooth.permute(1, 2, 0), expected, atol=1e-6)


@pytest.mark.parametrize("name", DENOISERS)
def test_noise_is_taken_away(name):
    noise = 0.1 * torch.randn(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    flat = torch.full((1, 3, 40, 50), 0.5)
    smooth = DENOISERS[name][0]((flat + noise).clamp(0, 1))
    assert (smooth - flat).square().mean() < 0.5 * noise.square().mean()


@pytest.mark.parametrize("name", DENOISERS)
def test_straight_through(name, photos):
    x = photos.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(DENOISERS[name][0](x).sum(), x)
    assert torch.equal(gradient, torch.ones_like(x))
