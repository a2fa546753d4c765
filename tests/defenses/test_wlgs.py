import numpy as np
import pytest
import torch
from scipy.stats import zscore

from defenses import LGS, WLGS
from explain import SALIENCIES, Memo, formula, remembering, saliency
from story import by_name
from tests.formulas import changes, formulas


@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("normalisation", ["z-score", "min-max"])
@pytest.mark.parametrize("method", ["gradient", "cam"])
def test_equals_numpy(photos, tiny_classifier, method, normalisation, clamp):
    x, model = photos.double(), tiny_classifier.double()
    defense = WLGS(saliency=method, normalisation=normalisation, clamp=clamp, lam=1.9, threshold=0.1)
    steps = defense.steps(x, model)
    kept = by_name(LGS(threshold=0.1).steps(x, model), "kept windows").map.numpy()
    for number, looks in enumerate(saliency(x, model, method=method)[:, 0].numpy()):
        weight = (
            zscore(looks, axis=None) if normalisation == "z-score" else (looks - looks.min()) / np.ptp(looks)
        )
        weight = np.clip(weight, 0, 1) if clamp else weight
        np.testing.assert_allclose(by_name(steps, "saliency weight").map[number, 0], weight, atol=1e-10)
        expected = x[number].numpy() * np.clip(1 - 1.9 * weight * kept[number], 0, 1)
        np.testing.assert_allclose(by_name(steps, "result").map[number], expected, atol=1e-10)


def test_below_the_mean_nothing_is_smoothed(photos, tiny_classifier):
    steps = WLGS(saliency="gradient", threshold=0).steps(photos, tiny_classifier)
    low = by_name(steps, "saliency weight").map < 0
    assert low.any()
    assert torch.equal(by_name(steps, "result").map[low.expand_as(photos)], photos[low.expand_as(photos)])


def test_gradient_is_exact_through_the_saliency(photos, tiny_classifier):
    """Along a random direction, against the difference quotient of the result."""
    x, model = photos[:1].double(), tiny_classifier.double()
    defense = WLGS(saliency="gradient", lam=0.3, threshold=0.1)
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    weights = torch.randn(x.shape, generator=generator, dtype=x.dtype)

    def value(photo):
        return (weights * defense(photo, model)).sum()

    leaf = x.clone().requires_grad_()
    slope = (torch.autograd.grad(value(leaf), leaf)[0] * direction).sum()
    step = 1e-7
    expected = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-6)
    fixed = defense.smooth(leaf, defense.region(x, model), defense.lam)  # as if W and g were constants
    assert abs((torch.autograd.grad((weights * fixed).sum(), leaf)[0] * direction).sum() - expected) > 1e-2


def test_a_ribbon_of_lambdas_is_one_batch(photos, tiny_classifier):
    x, lams = photos[:1], torch.tensor([0.0, 1.5, 2.3, 5.0])
    ribbon = WLGS().smooth(x, WLGS().region(x, tiny_classifier), lams.view(-1, 1, 1, 1))
    for lam, photo in zip(lams.tolist(), ribbon, strict=True):
        torch.testing.assert_close(photo, WLGS(lam=lam)(x, tiny_classifier)[0])


def test_only_what_saliency_depends_on_costs_a_pass(photos, tiny_classifier):
    passes = []
    tiny_classifier.register_forward_pre_hook(lambda *_: passes.append(1))
    with remembering(Memo(10**8)):
        WLGS().steps(photos, tiny_classifier)
        assert len(passes) == 1
        for options in [
            {"lam": 1.0},
            {"threshold": 0.4},
            {"block": 31},
            {"normalisation": "min-max"},
            {"clamp": True},
        ]:
            WLGS(**options).steps(photos, tiny_classifier)
        assert len(passes) == 1
        WLGS(top_k=3).steps(photos, tiny_classifier)
        assert len(passes) == 2


STEPS = {
    "photo": "x",
    "local gradient": r"g = \mathrm{minmax} \sqrt{(\partial x / \partial a)^2 + (\partial x / \partial b)^2}",
    "kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 0.2 \,]",
    "saliency": r"M = \max_c \left| \nabla_x L(x) \right|, "
    r"\quad L = \sum_{k=1}^{5} \mathrm{CE}(f(x), \hat{y}_k)",
    "saliency weight": r"W = \frac{M - \bar{M}}{\mathrm{std}(M)}",
    "smoothing weight": r"\mathrm{clip}(\lambda \, W \odot \hat{g},\, 0,\, 1)",
    "result": r"T(x) = x \odot \mathrm{clip}(1 - \lambda \, W \odot \hat{g},\, 0,\, 1)",
    "difference": r"\max_c \left| T(x) - x \right|",
}
"""You-Wei and Sheng-De 2022, eq. 11-12."""


def test_steps_and_their_formulas(photos, tiny_classifier):
    tiny_classifier.saliency = "gradient"
    assert formulas(WLGS(), photos, tiny_classifier) == STEPS
    x = photos[:1]
    auto = rf", \quad \lambda = {WLGS(lam='auto').lam_of(x, tiny_classifier):g}"
    asked = {("saliency", method): {"method": method} for method in SALIENCIES if method != "gradient"}
    asked |= {("top_k", k): {"method": "gradient", "top_k": k} for k in (1, 10)}
    asked[("loss", "top score")] = {"method": "gradient", "loss": "top score"}
    min_max = r"\frac{M - \min M}{\max M - \min M}"
    clipped = r"W = \mathrm{clip}\left(\frac{M - \bar{M}}{\mathrm{std}(M)},\, 0,\, 1\right)"
    assert changes(WLGS, x, tiny_classifier) == {
        ("lam", "auto"): {"smoothing weight": STEPS["smoothing weight"] + auto},
        ("threshold", 0): {"kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 0 \,]"},
        ("threshold", 1): {"kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 1 \,]"},
        ("normalisation", "min-max"): {"saliency weight": f"W = {min_max}"},
        ("clamp", True): {"saliency weight": clipped},
        **{
            field: {"saliency": formula(model=tiny_classifier, **options)} for field, options in asked.items()
        },
    }
    both = formulas(WLGS(normalisation="min-max", clamp=True), x, tiny_classifier)["saliency weight"]
    assert both == rf"W = \mathrm{{clip}}\left({min_max},\, 0,\, 1\right)"
