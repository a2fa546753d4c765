"""Against pasting, NumPy's rotation by right angles, and scikit-image's warp."""

import math

import numpy as np
import pytest
import torch
from skimage.transform import AffineTransform, warp

from ops.placing import placed


@pytest.fixture
def x():
    return torch.rand(2, 3, 21, 26, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def patch():
    return torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def at(x, rows, columns, sides, degrees):
    """Arguments from plain numbers, one for each photo or one for all."""
    spread = [x.new_tensor(value).expand(len(x)) for value in (rows, columns, sides, degrees)]
    return torch.stack(spread[:2], 1), spread[2], spread[3]


def test_upright_on_whole_pixels_it_is_copied(x, patch):
    result, covered = placed(x, patch, *at(x, 9.0, 14.0, 8.0, 0.0))
    expected, mask = x.clone(), torch.zeros_like(x[:, :1])
    expected[:, :, 5:13, 10:18], mask[:, :, 5:13, 10:18] = patch, 1
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(covered, mask, rtol=0, atol=1e-12)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_right_angles_turn_counter_clockwise(x, patch, quarters):
    result, _ = placed(x, patch, *at(x, 9.0, 14.0, 8.0, 90.0 * quarters))
    turned = np.rot90(patch.numpy(), quarters, axes=(1, 2)).copy()
    np.testing.assert_allclose(result[1, :, 5:13, 10:18], turned, rtol=0, atol=1e-12)


@pytest.mark.parametrize("degrees", [17.0, -63.5, 140.0])
def test_any_place_size_and_angle_equals_a_warp(x, patch, degrees):
    row, column, side = 10.3, 13.8, 11.0
    result, covered = placed(x, patch, *at(x, row, column, side, degrees))
    angle, scale = math.radians(degrees), side / 8
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    # From the patch's (column, row) to the photo's, pixel centres at whole numbers in both.
    forward = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    forward[:2, 2] = np.array([column, row]) - 0.5 - forward[:2, :2] @ [3.5, 3.5]
    expected = warp(
        patch.permute(1, 2, 0).numpy(), AffineTransform(forward).inverse, output_shape=(21, 26), mode="edge"
    )
    inside = covered[0, 0] == 1
    assert inside.sum() > 0.6 * side**2
    np.testing.assert_allclose(
        result[0].permute(1, 2, 0)[inside], expected[inside.numpy()], rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("degrees", [0.0, 30.0, 45.0])
def test_covers_its_area_and_nothing_far_away(x, patch, degrees):
    result, covered = placed(x, patch, *at(x, 10.4, 13.1, 9.0, degrees))
    assert covered[0].sum() == pytest.approx(81, rel=0.02)
    assert covered.min() >= 0
    assert covered.max() <= 1
    untouched = (covered == 0).expand_as(x)
    assert torch.equal(result[untouched], x[untouched])
    assert not untouched.all()


def test_beyond_the_border_it_is_cut_off(x, patch):
    result, covered = placed(x, patch, *at(x, 0.0, 26.0, 10.0, 30.0))
    assert result.isfinite().all()
    assert 0 < covered[0].sum() < 30


def test_each_photo_has_its_own_placement(x, patch):
    places = (x.new_tensor([[6.0, 7.0], [12.5, 15.0]]), x.new_tensor([6.0, 9.0]), x.new_tensor([0.0, 50.0]))
    together, _ = placed(x, patch, *places)
    for number in range(2):
        part = slice(number, number + 1)
        alone, _ = placed(x[part], patch, *(values[part] for values in places))
        torch.testing.assert_close(together[part], alone, rtol=0, atol=1e-12)
    assert not torch.allclose(together[0] - x[0], together[1] - x[1])


def test_has_gradients_in_patch_and_placement(x, patch):
    centres, sides, degrees = at(x, 9.23, 13.71, 7.3, 21.0)
    inputs = [value.clone().requires_grad_() for value in (patch, centres, sides, degrees)]
    assert torch.autograd.gradcheck(lambda *given: placed(x, *given)[0].sum((1, 2, 3)), inputs)
