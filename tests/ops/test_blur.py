"""Blur and median against SciPy's."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms.functional import gaussian_blur as torchvisions

from ops.blur import blurred, gaussian_blur, gaussian_kernel, median

SIZES = [(17, 23), (5, 4), (1, 7), (2, 2), (1, 1)]


def noise(*size):
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("side, sigma", [(3, 0.7), (5, 1.0), (7, 1.0), (15, 4.0)])
def test_blur_equals_torchvisions(side, sigma):
    x = noise(17, 23)
    torch.testing.assert_close(gaussian_blur(x, side, sigma), torchvisions(x, [side, side], [sigma, sigma]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [5, 9])
def test_blur_equals_scipys_on_small_photos_too(size, side):
    x = noise(*size)
    kernel = gaussian_kernel(side, 1.5).numpy()
    expected = ndimage.correlate1d(x.numpy(), kernel, axis=-2, mode="mirror")
    expected = ndimage.correlate1d(expected, kernel, axis=-1, mode="mirror")
    np.testing.assert_allclose(gaussian_blur(x, side, 1.5), expected, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.0, 0.4, 3.0, 20.0])
def test_blur_of_any_strength_equals_scipys(size, sigma):
    x = noise(*size)
    expected = ndimage.gaussian_filter(x.numpy(), (0, 0, sigma, sigma), mode="mirror") if sigma else x
    np.testing.assert_allclose(blurred(x, sigma), expected, atol=1e-12)


def test_the_posts_kernel():
    kernel = gaussian_kernel(5, 1.0)
    square = kernel[:, None] * kernel
    posts = np.array(
        [[1, 4, 7, 4, 1], [4, 16, 26, 16, 4], [7, 26, 41, 26, 7], [4, 16, 26, 16, 4], [1, 4, 7, 4, 1]]
    )
    np.testing.assert_allclose(square, posts / 273, atol=0.015)
    assert square.sum() == pytest.approx(1)


def test_no_deviation_is_no_blur():
    x = noise(6, 7)
    assert torch.equal(gaussian_blur(x, 5, 0.0), x)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [3, 5])
def test_median_equals_scipys(size, side):
    x = noise(*size)
    expected = ndimage.median_filter(x.numpy(), size=(1, 1, side, side), mode="mirror")
    np.testing.assert_array_equal(median(x, side), expected)


@pytest.mark.parametrize(
    "function", [lambda x: gaussian_blur(x, 5, 1.0), lambda x: blurred(x, 2.0), lambda x: median(x, 3)]
)
def test_the_gradient_is_exact(function):
    assert torch.autograd.gradcheck(function, noise(4, 5).requires_grad_())


def test_an_even_side_is_refused():
    with pytest.raises(ValueError, match="odd number of pixels, not 4"):
        gaussian_blur(noise(9, 9), 4, 1.0)
    with pytest.raises(ValueError, match="odd number of pixels, not 4"):
        median(noise(9, 9), 4)


@pytest.mark.parametrize("sigma", [1.0, 6.0])
def test_a_gradient_after_a_call_without_any(sigma):
    x = torch.rand(1, 1, 37, 41, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        blurred(x, sigma)
    asked = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(blurred(asked, sigma)[..., 20, 20].sum(), asked)
    assert slope.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("side", [19, 21, 23, 25])
def test_both_ways_of_a_long_kernel_are_scipys(side):
    x = torch.rand(2, 3, 30, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = gaussian_kernel(side, 3.0).numpy()
    expected = ndimage.correlate1d(x.numpy(), weights, axis=-2, mode="mirror")
    expected = ndimage.correlate1d(expected, weights, axis=-1, mode="mirror")
    np.testing.assert_allclose(gaussian_blur(x, side, 3.0), expected, atol=1e-12)


def test_the_median_of_nine_is_the_same_with_and_without_a_gradient():
    x = (torch.rand(2, 3, 17, 12, generator=torch.Generator().manual_seed(0)) * 5).round() / 5
    assert torch.equal(median(x, 3), median(x.clone().requires_grad_(), 3).detach())


def test_the_medians_gradient_goes_to_one_pixel_that_is_the_median():
    # Four levels: nearly every window has its median several times.
    x = (noise(6, 7) * 3).round() / 3
    asked = x.clone().requires_grad_()
    result = median(asked, 3)
    for row in range(6):
        for column in range(7):
            (slope,) = torch.autograd.grad(result[0, 0, row, column], asked, retain_graph=True)
            (place,) = slope.nonzero().tolist()
            assert (slope.sum(), x[tuple(place)]) == (1, result[0, 0, row, column])
            assert max(abs(place[2] - row), abs(place[3] - column)) <= 1


def test_ties_are_all_that_tells_the_medians_gradient_from_a_difference_quotient():
    ties = (noise(40, 40) * 255).round() / 255
    apart = ties + (noise(80, 80)[..., ::2, ::2] - 0.5) / 600
    along, weights = noise(50, 40)[..., 10:, :] - 0.5, noise(40, 50)[..., 10:] - 0.5
    off = {}
    for name, x in {"ties": ties, "apart": apart}.items():
        asked = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad((median(asked, 3) * weights).sum(), asked)
        ahead, behind = (median(x + step * along, 3) for step in (1e-8, -1e-8))
        quotient = ((ahead - behind) * weights).sum() / 2e-8
        off[name] = ((slope * along).sum() - quotient).abs() / slope.norm() / along.norm()
    assert off["apart"] < 1e-7 < 1e-4 < off["ties"]
