"""Digital Watermarking against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.morphology import dilation, erosion
from skimage.restoration import inpaint_biharmonic

from defenses import DEFENSES
from explain import saliency
from ops.restoration import inpainted
from story import by_name

DW = DEFENSES["digital-watermarking"]


def test_equal_to_scikit_image(photos, tiny_classifier):
    defense = DW(saliency="gradient", binarise=1.5, erosions=1, dilations=2)
    x, model = photos.double(), tiny_classifier.double()
    steps = defense.steps(x, model)
    looks = saliency(x, model, method="gradient").numpy()
    square = np.ones((3, 3))
    for number in range(3):
        mask = (looks[number, 0] > 1.5 * looks[number, 0].mean()).astype(np.uint8)
        for _ in range(1):
            mask = erosion(mask, square)
        for _ in range(2):
            mask = dilation(mask, square)
        np.testing.assert_array_equal(by_name(steps, "after dilation").map[number, 0], mask)
        picture = x[number].permute(1, 2, 0).numpy()
        expected = inpaint_biharmonic(picture, mask > 0, channel_axis=-1).clip(0, 1)
        np.testing.assert_allclose(by_name(steps, "result").map[number].permute(1, 2, 0), expected, atol=1e-9)


def test_a_smooth_photo_is_painted_back(photos):
    down, across = torch.linspace(0, 1, 40)[:, None], torch.linspace(0, 1, 50)
    x = torch.stack([down + 0 * across, 0.5 * down + 0.5 * across, across + 0 * down])[None].double()
    hole = torch.zeros(1, 1, 40, 50)
    hole[..., 10:25, 20:35] = 1
    spoiled = torch.where(
        hole > 0, torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0)).double(), x
    )
    torch.testing.assert_close(inpainted(spoiled, hole), x, atol=1e-3, rtol=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_no_hole_and_nothing_but_hole(photos, value):
    hole = torch.full((3, 1, 44, 53), value)
    expected = photos if value == 0 else torch.full_like(photos, 0.5)
    assert torch.equal(inpainted(photos, hole), expected)


def test_the_gradient_passes_outside_the_hole_alone(photos):
    hole = torch.zeros(3, 1, 44, 53)
    hole[..., 5:9, 5:9] = 1
    x = photos.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(inpainted(x, hole).sum(), x)
    assert torch.equal(gradient, (1 - hole).expand_as(x))
