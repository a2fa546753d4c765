"""The colour space against scikit-image's."""

import numpy as np
import torch
from skimage import color

from ops.colour import to_rgb, to_ycbcr, ycbcr_deviations


def test_equal_to_scikit_image_and_back():
    rgb = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ycbcr = to_ycbcr(rgb)
    np.testing.assert_allclose(
        ycbcr.permute(0, 2, 3, 1), color.rgb2ycbcr(rgb.permute(0, 2, 3, 1)), rtol=1e-14
    )
    torch.testing.assert_close(to_rgb(ycbcr), rgb, rtol=0, atol=1e-14)


def test_deviations_are_those_of_noise():
    noise = torch.randn(1, 3, 400, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    measured = to_ycbcr(noise).std((2, 3))[0]
    torch.testing.assert_close(measured, ycbcr_deviations(noise).flatten(), rtol=0.01, atol=0)
