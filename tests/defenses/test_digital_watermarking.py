"""Digital Watermarking against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.morphology import dilation, erosion
from skimage.restoration import inpaint_biharmonic

from defenses import DEFENSES
from explain import SALIENCIES, formula, saliency
from ops.restoration import inpainted
from story import by_name
from tests.formulas import changes, formulas

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
        grey = np.where(mask[..., None] > 0, 0.5, picture)
        np.testing.assert_array_equal(by_name(steps, "hole").map[number].permute(1, 2, 0), grey)
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


STEPS = {
    "photo": "x",
    "saliency": r"M = \max_c \left| \nabla_x L(x) \right|, "
    r"\quad L = \sum_{k=1}^{5} \mathrm{CE}(f(x), \hat{y}_k)",
    "binary mask": r"B = [\, M > 2.5\, \bar{M} \,]",
    "after erosion": r"E = B \ominus_{3 \times 3} \;(1 \times)",
    "after dilation": r"D = E \oplus_{3 \times 3} \;(3 \times)",
    "hole": "",
    "result": "",
    "difference": r"\max_c \left| T(x) - x \right|",
}


def test_steps_and_their_formulas(photos, tiny_classifier):
    tiny_classifier.saliency = "gradient"
    assert formulas(DW(), photos, tiny_classifier) == STEPS
    asked = {("saliency", method): {"method": method} for method in SALIENCIES if method != "gradient"}
    asked |= {("top_k", k): {"method": "gradient", "top_k": k} for k in (1, 10)}
    asked[("loss", "top score")] = {"method": "gradient", "loss": "top score"}
    assert changes(DW, photos[:1], tiny_classifier) == {
        ("binarise", 0.5): {"binary mask": r"B = [\, M > 0.5\, \bar{M} \,]"},
        ("binarise", 10): {"binary mask": r"B = [\, M > 10\, \bar{M} \,]"},
        ("erosions", 0): {"after erosion": r"E = B \ominus_{3 \times 3} \;(0 \times)"},
        ("erosions", 10): {"after erosion": r"E = B \ominus_{3 \times 3} \;(10 \times)"},
        ("dilations", 0): {"after dilation": r"D = E \oplus_{3 \times 3} \;(0 \times)"},
        ("dilations", 10): {"after dilation": r"D = E \oplus_{3 \times 3} \;(10 \times)"},
        **{
            field: {"saliency": formula(model=tiny_classifier, **options)} for field, options in asked.items()
        },
    }
