"""The classic filters: their steps, and the formula of each against a plain reading of it."""

import numpy as np
import pytest
import torch
from scipy import ndimage

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
