import numpy as np
import pytest
import torch
from skimage.morphology import dilation, erosion

from defenses import LGS, SLGS
from explain import SALIENCIES, Memo, formula, remembering, saliency
from story import by_name
from tests.formulas import changes, formulas


def plain_masks(saliency_map, binarise, erosions, dilations):
    """The three masks of one photo by scikit-image."""
    binary = (saliency_map > binarise * saliency_map.mean()).astype(np.uint8)
    eroded = binary
    for _ in range(erosions):
        eroded = erosion(eroded, np.ones((3, 3)), mode="ignore")
    dilated = eroded
    for _ in range(dilations):
        dilated = dilation(dilated, np.ones((3, 3)), mode="ignore")
    return binary, eroded, dilated


@pytest.mark.parametrize("method", SALIENCIES)
@pytest.mark.parametrize(
    ("binarise", "erosions", "dilations"), [(1.0, 2, 3), (0.5, 1, 0), (2.0, 0, 2), (0.3, 3, 4)]
)
def test_equals_scikit_image(photos, tiny_classifier, method, binarise, erosions, dilations):
    x, model = photos.double(), tiny_classifier.double()
    defense = SLGS(saliency=method, binarise=binarise, erosions=erosions, dilations=dilations, threshold=0.1)
    steps = defense.steps(x, model)
    looks = saliency(x, model, method=method)
    kept = by_name(LGS(threshold=0.1).steps(x, model), "kept windows").map.numpy()
    assert torch.equal(by_name(steps, "saliency").map, looks)
    for number in range(3):
        masks = plain_masks(looks[number, 0].numpy(), binarise, erosions, dilations)
        for name, mask in zip(("binary mask", "after erosion", "after dilation"), masks, strict=True):
            np.testing.assert_array_equal(by_name(steps, name).map[number, 0], mask)
        dilated = masks[-1]
        photo = x[number].numpy()
        np.testing.assert_array_equal(
            by_name(steps, "selected region").map[number], np.where(dilated, photo, np.full_like(photo, 0.5))
        )
        expected = photo * np.clip(1 - 2.3 * dilated * kept[number], 0, 1)
        np.testing.assert_allclose(by_name(steps, "result").map[number], expected, atol=1e-12)


def test_where_all_is_selected_it_is_lgs(photos, tiny_classifier):
    everything = SLGS(binarise=0, erosions=0, dilations=10)
    assert by_name(everything.steps(photos, tiny_classifier), "after dilation").map.all()
    assert torch.equal(everything(photos, tiny_classifier), LGS()(photos, tiny_classifier))


def test_changes_no_pixel_that_lgs_leaves_alone_and_fewer(photos, tiny_classifier):
    changed = SLGS(saliency="gradient", threshold=0.1)(photos, tiny_classifier) != photos
    by_lgs = LGS(threshold=0.1)(photos, tiny_classifier) != photos
    assert (changed <= by_lgs).all()
    assert 0 < changed.sum() < by_lgs.sum()


def test_masks_pass_the_gradient_of_the_saliency_on(photos, tiny_classifier):
    """Straight-through: dD/dx is d(M - mean M)/dx, as if binarisation and morphology were not there."""
    x, model = photos.double().requires_grad_(), tiny_classifier.double()
    weights = torch.rand(3, 1, 44, 53, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    looks = saliency(x, model, method="gradient")
    expected = torch.autograd.grad((weights * (looks - looks.mean((1, 2, 3), keepdim=True))).sum(), x)[0]
    assert expected.abs().amax((1, 2, 3)).all()
    steps = SLGS(saliency="gradient").steps(x, model)
    for name in ("binary mask", "after erosion", "after dilation"):
        gradient = torch.autograd.grad((weights * by_name(steps, name).map).sum(), x, retain_graph=True)[0]
        torch.testing.assert_close(gradient, expected)


def test_a_ribbon_of_lambdas_is_one_batch(photos, tiny_classifier):
    x, defense = photos[:1], SLGS(channels="each", threshold=0.05)
    lams = torch.tensor([0.0, 1.5, 2.3, 5.0])
    ribbon = defense.smooth(x, defense.region(x, tiny_classifier), lams.view(-1, 1, 1, 1))
    for lam, photo in zip(lams.tolist(), ribbon, strict=True):
        one = SLGS(channels="each", threshold=0.05, lam=lam)(x, tiny_classifier)[0]
        torch.testing.assert_close(photo, one)


@pytest.mark.parametrize("method", SALIENCIES)
def test_only_what_saliency_depends_on_costs_a_pass(photos, tiny_classifier, method):
    passes = []
    tiny_classifier.register_forward_pre_hook(lambda *_: passes.append(1))

    def cost(x=photos, **options):
        before = len(passes)
        SLGS(**({"saliency": method} | options)).steps(x, tiny_classifier)
        return len(passes) - before

    one_pixel = photos.clone()
    one_pixel[0, 0, 0, 0] += 1 / 255
    with remembering(Memo(10**8)):
        assert cost() > 0
        free = [
            {"lam": 3.1},
            {"threshold": 0.4},
            {"block": 21},
            {"overlap": 0},
            {"channels": "each"},
            {"operator": "sobel"},
            {"binarise": 2.0},
            {"erosions": 0},
            {"dilations": 7},
        ]
        assert [cost(**options) for options in free] == [0] * len(free)
        assert cost(one_pixel) > 0
        assert (cost(top_k=1) > 0) == SALIENCIES[method].uses_loss
    assert cost() > 0


STEPS = {
    "photo": "x",
    "local gradient": r"g = \mathrm{minmax} \sqrt{(\partial x / \partial a)^2 + (\partial x / \partial b)^2}",
    "kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 0.2 \,]",
    "saliency": r"M = \max_c \left| \nabla_x L(x) \right|, "
    r"\quad L = \sum_{k=1}^{5} \mathrm{CE}(f(x), \hat{y}_k)",
    "binary mask": r"B = [\, M > \, \bar{M} \,]",
    "after erosion": r"E = B \ominus_{3 \times 3} \;(2 \times)",
    "after dilation": r"D = E \oplus_{3 \times 3} \;(3 \times)",
    "selected region": "",
    "smoothing weight": r"\mathrm{clip}(\lambda \, D \odot \hat{g},\, 0,\, 1)",
    "result": r"T(x) = x \odot \mathrm{clip}(1 - \lambda \, D \odot \hat{g},\, 0,\, 1)",
    "difference": r"\max_c \left| T(x) - x \right|",
}
"""You-Wei and Sheng-De 2022, eq. 6-10."""


def test_steps_and_their_formulas(photos, tiny_classifier):
    tiny_classifier.saliency = "gradient"
    assert formulas(SLGS(), photos, tiny_classifier) == STEPS
    x = photos[:1]
    auto = rf", \quad \lambda = {SLGS(lam='auto').lam_of(x, tiny_classifier):g}"
    asked = {("saliency", method): {"method": method} for method in SALIENCIES if method != "gradient"}
    asked |= {("top_k", k): {"method": "gradient", "top_k": k} for k in (1, 10)}
    asked[("loss", "top score")] = {"method": "gradient", "loss": "top score"}
    assert changes(SLGS, x, tiny_classifier) == {
        ("lam", "auto"): {"smoothing weight": STEPS["smoothing weight"] + auto},
        ("threshold", 0): {"kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 0 \,]"},
        ("threshold", 1): {"kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 1 \,]"},
        ("binarise", 0): {"binary mask": r"B = [\, M > 0\, \bar{M} \,]"},
        ("binarise", 5): {"binary mask": r"B = [\, M > 5\, \bar{M} \,]"},
        ("erosions", 0): {"after erosion": r"E = B \ominus_{3 \times 3} \;(0 \times)"},
        ("erosions", 10): {"after erosion": r"E = B \ominus_{3 \times 3} \;(10 \times)"},
        ("dilations", 0): {"after dilation": r"D = E \oplus_{3 \times 3} \;(0 \times)"},
        ("dilations", 10): {"after dilation": r"D = E \oplus_{3 \times 3} \;(10 \times)"},
        **{
            field: {"saliency": formula(model=tiny_classifier, **options)} for field, options in asked.items()
        },
    }
