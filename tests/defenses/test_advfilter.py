"""AdvFilter with tiny random networks: the contract of every defense, but that white stays white."""

import pytest
import torch

import denoisers.weights
from defenses import Defended
from defenses.advfilter import AdvFilter
from denoisers import VARIANTS, uncertainty
from denoisers.denoise import denoised
from story import by_name
from tests.denoisers.tiny import write_tiny
from tests.formulas import changes, formulas

BETWEEN = ["denoised sl", "denoised m", "uncertainty sl", "uncertainty m", "fusion weight"]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("advfilter")
    write_tiny(folder)
    return folder


@pytest.fixture(autouse=True)
def tiny_weights(tiny_folder, monkeypatch):
    monkeypatch.setattr(denoisers.weights, "FOLDER", tiny_folder)


@pytest.fixture(params=tuple(VARIANTS))
def defense(request):
    return AdvFilter(variant=request.param)


def network_of(defense):
    return denoisers.weights.load(defense.variant, device=torch.device("cpu"))


def test_the_steps(defense, photos, tiny_classifier):
    steps = defense.steps(photos, tiny_classifier)
    between = BETWEEN if defense.variant == "pa-filt" else []
    assert [step.name for step in steps] == ["photo", *between, "result", "difference"]
    assert torch.equal(steps[0].map, photos)
    for step in steps:
        assert step.map.shape == (3, 3 if step.kind == "photo" else 1, 44, 53)
        assert step.map.isfinite().all()
        assert step.kind in ("photo", "heat")
        assert (step.map >= 0).all()
        assert step.own_scale or (step.map <= 1).all()
        assert step.note.endswith((".", "?"))
        assert step.formula.count("{") == step.formula.count("}")
    change = (by_name(steps, "result").map - photos).abs()
    assert change.amax() > 0.02


def test_the_result_is_the_denoisers(defense, photos, tiny_classifier):
    pictures = denoised(network_of(defense), photos)
    expected = pictures.get("result", pictures.get("head 4"))
    assert torch.equal(defense(photos, tiny_classifier), expected)


@pytest.mark.parametrize("head", [1, 2, 3, 4])
def test_each_head_can_count(head, photos, tiny_classifier):
    defense = AdvFilter(variant="multi-head", head=head)
    expected = denoised(network_of(defense), photos)[f"head {head}"]
    assert torch.equal(defense(photos, tiny_classifier), expected)


def test_pa_filt_is_fused_by_its_own_maps(photos, tiny_classifier):
    steps = AdvFilter(variant="pa-filt").steps(photos, tiny_classifier)
    first, second, weight = (
        by_name(steps, name).map for name in ("denoised sl", "denoised m", "fusion weight")
    )
    torch.testing.assert_close(by_name(steps, "result").map, weight * first + (1 - weight) * second)
    kernels = network_of(AdvFilter(variant="pa-filt")).outputs(photos)
    for name, kernel in zip(("sl", "m"), kernels, strict=True):
        assert torch.equal(by_name(steps, f"uncertainty {name}").map, uncertainty(kernel).clamp(min=0))


def test_alone_as_in_a_batch(defense, photos, tiny_classifier):
    x, model = photos.double(), tiny_classifier.double()
    together = defense.steps(x, model)
    for number in range(3):
        for alone, step in zip(defense.steps(x[number : number + 1], model), together, strict=True):
            torch.testing.assert_close(alone.map, step.map[number : number + 1], rtol=1e-6, atol=1e-9)


def test_photos_and_classifier_are_untouched_and_nothing_is_drawn(defense, photos, tiny_classifier):
    before, weights = photos.clone(), [weight.clone() for weight in tiny_classifier.parameters()]
    state = torch.get_rng_state()
    first = defense(photos, tiny_classifier)
    assert torch.equal(defense(photos, tiny_classifier), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(photos, before)
    assert all(torch.equal(*pair) for pair in zip(tiny_classifier.parameters(), weights, strict=True))
    assert not first.requires_grad


@pytest.mark.parametrize("value", [None, 0.0, 1.0], ids=["photos", "black", "white"])
def test_the_gradient_is_finite_and_does_not_vanish(defense, photos, tiny_classifier, value):
    x = (photos if value is None else torch.full_like(photos, value)).clone().requires_grad_()
    scores = Defended(defense, tiny_classifier)(x)
    loss = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2]), reduction="sum")
    gradient = torch.autograd.grad(loss, x)[0]
    assert gradient.isfinite().all()
    assert (gradient.abs().amax((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("shape", [(30, 31), (1, 20), (20, 1), (1, 1), (2, 3)])
def test_black_white_and_thin_photos_give_numbers(defense, tiny_classifier, shape):
    flat = torch.stack((torch.zeros(3, *shape), torch.ones(3, *shape)))
    for step in defense.steps(flat, tiny_classifier):
        assert step.map.isfinite().all()
        assert step.map.shape[2:] == shape


def test_fields_are_described_and_checked():
    for parameter in AdvFilter.parameters():
        assert len(parameter.help) > 10
        assert parameter.moves
    for wrong in ({"variant": "median"}, {"head": 5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AdvFilter(**wrong)
    assert hash(AdvFilter()) == hash(AdvFilter())


FUSED = {
    "denoised sl": r"\tilde{x}_\mathrm{sl} = x \circledast \varphi_\mathrm{sl}(x)",
    "denoised m": r"\tilde{x}_\mathrm{m} = x \circledast \varphi_\mathrm{m}(x)",
    "uncertainty sl": r"U_\mathrm{sl} = \max_k \varphi_\mathrm{sl}(x)_k",
    "uncertainty m": r"U_\mathrm{m} = \max_k \varphi_\mathrm{m}(x)_k",
    "fusion weight": r"W = \sigma(C([U_\mathrm{sl}, U_\mathrm{m}]))",
}
"""Huang et al. 2021, section 4."""


def test_the_formulas(photos, tiny_classifier):
    fused = r"W \odot \tilde{x}_\mathrm{sl} + (1 - W) \odot \tilde{x}_\mathrm{m}"
    assert formulas(AdvFilter(), photos, tiny_classifier) == {
        "photo": "x",
        **FUSED,
        "result": rf"\tilde{{x}} = {fused}",
        "difference": r"\max_c \left| \tilde{x} - x \right|",
    }
    added = {"result": r"\tilde{x} = x + \varphi(x)"} | dict.fromkeys(FUSED)
    filtered = {"result": r"\tilde{x} = x \circledast \varphi(x)"} | dict.fromkeys(FUSED)
    assert changes(AdvFilter, photos[:1], tiny_classifier) == {
        **{("variant", name): added for name in ("add-img", "add-sem")},
        **{("variant", name): filtered for name in ("filt-img", "filt-sem", "filt-strong", "multi-head")},
    }
