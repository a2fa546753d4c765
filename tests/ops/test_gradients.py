import numpy as np
import pytest
import torch
from skimage.color import rgb2yuv
from skimage.filters import sobel_h, sobel_v

from ops.gradients import forward_difference, luma, magnitude, sobel

SIZES = [(7, 9), (1, 6), (6, 1), (1, 1)]


def maps(height, width, channels=3):
    generator = torch.Generator().manual_seed(height * 100 + width)
    return torch.rand(2, channels, height, width, generator=generator, dtype=torch.float64)


def test_luma_is_the_y_of_scikit_image():
    x = maps(7, 9)
    expected = rgb2yuv(x.permute(0, 2, 3, 1).numpy())[..., 0]
    np.testing.assert_allclose(luma(x)[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_forward_difference_equals_a_loop(height, width):
    x = maps(height, width)
    dx, dy = forward_difference(x)
    for row in range(height):
        for column in range(width):
            right = x[..., row, column + 1] if column + 1 < width else x[..., row, column]
            below = x[..., row + 1, column] if row + 1 < height else x[..., row, column]
            assert torch.equal(dx[..., row, column], right - x[..., row, column])
            assert torch.equal(dy[..., row, column], below - x[..., row, column])


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_sobel_is_half_of_scikit_images_which_spans_two_pixels(height, width):
    x = maps(height, width)
    dx, dy = sobel(x)
    for photo in range(2):
        for channel in range(3):
            picture = x[photo, channel].numpy()
            np.testing.assert_allclose(dx[photo, channel], sobel_v(picture) / 2, atol=1e-12)
            np.testing.assert_allclose(dy[photo, channel], sobel_h(picture) / 2, atol=1e-12)


def test_both_operators_measure_the_slope_of_a_ramp_per_pixel():
    ramp = torch.arange(6.0).repeat(5, 1)[None, None]
    for operator in (forward_difference, sobel):
        dx, dy = operator(ramp)
        assert torch.equal(dx[..., 1:-1], torch.ones(1, 1, 5, 4))
        assert torch.equal(dy, torch.zeros(1, 1, 5, 6))


def test_magnitude_is_the_hypotenuse():
    dx, dy = maps(7, 9), maps(9, 7).transpose(-1, -2)
    np.testing.assert_allclose(magnitude(dx, dy), np.hypot(dx.numpy(), dy.numpy()), rtol=1e-12)


def test_magnitude_has_gradient_zero_where_nothing_changes():
    dx = torch.tensor([[[[0.0, 3.0]]]], requires_grad=True)
    dy = torch.tensor([[[[0.0, 4.0]]]], requires_grad=True)
    by_dx, by_dy = torch.autograd.grad(magnitude(dx, dy).sum(), (dx, dy))
    torch.testing.assert_close(by_dx, torch.tensor([[[[0.0, 0.6]]]]))
    torch.testing.assert_close(by_dy, torch.tensor([[[[0.0, 0.8]]]]))
