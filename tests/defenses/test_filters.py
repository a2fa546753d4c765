"""The classic filters: their steps, and the formula of each against a plain reading of it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage import restoration

from defenses import DEFENSES
from defenses.filters import FILTERS
from tests.formulas import changes, formulas

SHOWN = {
    "gaussian": r"T(x) = G_\sigma * x",
    "tvm": r"T(x) = \arg\min_z \tfrac{1}{2} \lVert z - x \rVert^2 + w\, \mathrm{TV}(z)",
    "bit-depth": r"T(x) = \mathrm{round}\left( (2^b - 1)\, x \right) / (2^b - 1)",
}
"""What has a formula: Chambolle 2004, eq. 3; Xu et al. 2018, section 3."""


@pytest.mark.parametrize("name", FILTERS)
def test_steps_and_their_formulas(name, photos, tiny_classifier):
    assert formulas(DEFENSES[name](), photos, tiny_classifier) == {
        "photo": "x",
        "result": SHOWN.get(name, ""),
        "difference": r"\max_c \left| T(x) - x \right|",
    }
    assert changes(DEFENSES[name], photos[:1], tiny_classifier) == {}


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_levels_are_those_of_the_formula(bits, photos):
    smoothed = DEFENSES["bit-depth"](bits=bits)(photos.double(), None).numpy()
    expected = np.round((2**bits - 1) * photos.double().numpy()) / (2**bits - 1)
    np.testing.assert_allclose(smoothed, expected, atol=1e-12)


def test_the_gaussian_is_scipys(photos):
    smoothed = DEFENSES["gaussian"](kernel=7, sigma=1.5)(photos.double(), None)
    expected = ndimage.gaussian_filter(photos.double().numpy(), (0, 0, 1.5, 1.5), mode="mirror", truncate=2)
    np.testing.assert_allclose(smoothed, expected, atol=1e-12)


def test_the_least_total_variation_is_below_that_of_its_neighbours(photos):
    """The result of the formula's minimum: nothing near it has a lower energy than it has, to 1 %."""
    x = photos[:1].double()
    smoothed = DEFENSES["tvm"](weight=0.2)(x, None)

    def energy(z):
        down, across = torch.zeros_like(z), torch.zeros_like(z)
        down[..., :-1, :], across[..., :-1] = z.diff(dim=-2), z.diff(dim=-1)
        variation = (down.square() + across.square()).sqrt().sum()  # of each channel by itself
        return float(0.5 * (z - x).square().sum() + 0.2 * variation)

    least = energy(smoothed)
    assert least < 0.9 * energy(x)
    blurred = [DEFENSES["gaussian"](sigma=sigma)(x, None) for sigma in (0.5, 1.0, 3.0)]
    for other in (x, x.mean((2, 3), keepdim=True).expand_as(x), *blurred):
        for share in (0.05, 0.3):
            assert energy(smoothed + share * (other - smoothed)) > 0.99 * least


def saved(photo, quality):
    """(H, W, 3) through a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(np.round(photo * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)) / 255


@pytest.mark.parametrize(
    ("name", "values", "reference"),
    [
        ("jpeg", {"quality": 20}, lambda photo: saved(photo, 20)),
        (
            "median",
            {"window": 5},
            lambda photo: ndimage.median_filter(photo, (5, 5, 1), mode="mirror"),
        ),
        (
            "bilateral",
            {"sigma_color": 0.2, "sigma_spatial": 1.5},
            lambda photo: restoration.denoise_bilateral(
                photo, sigma_color=0.2, sigma_spatial=1.5, channel_axis=-1
            ),
        ),
        (
            "tvm",
            {"weight": 0.3},
            lambda photo: restoration.denoise_tv_chambolle(photo, weight=0.3, channel_axis=-1),
        ),
        (
            "non-local-means",
            {"sigma": 0.1},
            lambda photo: restoration.denoise_nl_means(
                photo, patch_size=5, patch_distance=6, h=0.08, sigma=0.1, fast_mode=True, channel_axis=-1
            ),
        ),
    ],
)
def test_equal_to_a_library(name, values, reference, photos):
    smoothed = DEFENSES[name](**values)(photos.double(), None)
    for photo, result in zip(photos.double().permute(0, 2, 3, 1).numpy(), smoothed, strict=True):
        np.testing.assert_allclose(result.permute(1, 2, 0), reference(photo).clip(0, 1), atol=1e-9)
