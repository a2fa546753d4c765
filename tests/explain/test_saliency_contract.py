"""What every saliency method in the registry promises, in front of classifiers of several kinds."""

import pytest
import torch

from explain import LOSSES, SALIENCIES, Memo, formula, remembering, saliency
from explain.saliencies import Loss
from tests.explain.small import behind_a_maximum
from tests.untouched import assert_same, condition

LOSS = Loss()


@pytest.fixture(params=SALIENCIES)
def method(request):
    return request.param


@pytest.fixture(params=["linear head", "no head", "maximum"])
def model(request, tiny_classifier):
    """Behind the last map a mean and a linear layer, the same unknown to be so, or a maximum."""
    if request.param == "maximum":
        return behind_a_maximum()[0]
    if request.param == "no head":
        tiny_classifier.head = None
    return tiny_classifier.double()


def test_a_map_per_photo(model, x, method):
    result = saliency(x, model, method=method)
    assert result.shape == (3, 1, 44, 53)
    assert result.dtype == x.dtype
    assert (result >= 0).all()
    assert result.isfinite().all()
    assert (result.amax((1, 2, 3)) > 0).all()
    assert not result.requires_grad


def test_alone_as_in_a_batch(model, x, method):
    together = saliency(x, model, method=method)
    for photo in range(3):
        alone = saliency(x[photo : photo + 1], model, method=method)
        torch.testing.assert_close(alone, together[photo : photo + 1], rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("asks", [False, True], ids=["frozen weights", "weights that ask for gradients"])
def test_photos_and_model_are_untouched(model, x, method, asks):
    for weight in model.parameters():
        weight.requires_grad_(asks)
    photos, before = x.clone(), condition(model)
    saliency(x, model, method=method)
    saliency(x.clone().requires_grad_(), model, method=method)
    assert torch.equal(x, photos)
    assert not x.requires_grad
    assert x.grad is None
    assert_same(before, condition(model))


def test_nothing_is_left_after_an_error(tiny_classifier, photos, method, monkeypatch):
    def broken(_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(tiny_classifier.network.head, "forward", broken)
    before = condition(tiny_classifier)
    with pytest.raises(RuntimeError, match="on purpose"):
        saliency(photos, tiny_classifier, method=method)
    assert_same(before, condition(tiny_classifier))


@pytest.mark.parametrize("loss", LOSSES)
def test_its_own_gradient_is_exact(tiny_classifier, x, method, loss):
    """Along a random direction, against the difference quotient of the map."""
    x, model = x[:1], tiny_classifier.double()
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    weights = torch.rand(1, 1, 44, 53, generator=generator, dtype=x.dtype)

    def value(photo):
        return (weights * saliency(photo, model, method=method, top_k=3, loss=loss)).sum()

    leaf = x.clone().requires_grad_()
    slope = (torch.autograd.grad(value(leaf), leaf)[0] * direction).sum()
    step = 1e-7
    expected = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    # Up to its ReLUs the network is linear: the slope of a score may be constant, that of the loss is not.
    assert abs(expected) > 1e-6 or loss == "top score"
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-6)


def test_no_gradient_where_none_is_wanted(model, x, method):
    leaf = x.clone().requires_grad_()
    with torch.no_grad():
        result = saliency(leaf, model, method=method)
    assert not result.requires_grad
    torch.testing.assert_close(result, saliency(x, model, method=method))
    assert leaf.grad is None
    assert leaf.requires_grad


@pytest.mark.parametrize("shape", [(1, 20), (20, 1), (1, 1)])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.37], ids=["black", "white", "grey"])
def test_flat_and_thin_photos_give_numbers(tiny_classifier, method, shape, value):
    result = saliency(torch.full((2, 3, *shape), value), tiny_classifier, method=method)
    assert result.shape == (2, 1, *shape)
    assert result.isfinite().all()


def test_random_exactly_where_it_says_so(model, x, method):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = saliency(x, model, method=method, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, saliency(x, model, method=method, seed=1))
    # By the method itself: the door does not even hand it a seed that it has no use for.
    asked = SALIENCIES[method]
    maps = [asked.map(x, model, loss=LOSS, seed=seed) for seed in (1, 2)]
    assert torch.equal(*maps) != asked.is_random


def test_a_loss_exactly_where_it_says_so(tiny_classifier, x, method):
    asked, model = SALIENCIES[method], tiny_classifier.double()
    maps = [asked.map(x, model, loss=loss, seed=0) for loss in (LOSS, Loss(top_k=1), Loss("top score"))]
    for other in maps[1:]:
        assert torch.equal(maps[0], other) != asked.uses_loss
    formulas = [
        formula(method, model, top_k=top_k, loss=loss)
        for top_k, loss in ((5, LOSSES[0]), (1, LOSSES[0]), (5, LOSSES[1]))
    ]
    assert len(set(formulas)) == (3 if asked.uses_loss else 1)


def test_its_formula(model, method):
    shown = formula(method, model)
    assert shown.startswith("M = ")
    assert len(shown) > len("M = ")
    assert shown.count("{") == shown.count("}")
    assert shown.count(r"\left") == shown.count(r"\right")
    model.saliency = method
    assert formula("auto", model) == shown


def test_remembered_by_all_that_it_depends_on(model, x, method):
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    model.saliency = method
    asked = SALIENCIES[method]

    def cost(photos, **options):
        before = len(passes)
        saliency(photos, model, **({"method": method} | options))
        return len(passes) - before

    changed = x.clone()
    changed[2, 0, 43, 52] += 1 / 255
    with remembering(Memo(10**7)):
        assert cost(x) > 0
        assert cost(x) == cost(x, method="auto") == 0
        assert cost(changed) > 0
        assert (cost(x, top_k=2) > 0) == asked.uses_loss
        assert (cost(x, loss="top score") > 0) == asked.uses_loss
        assert (cost(x, seed=5) > 0) == asked.is_random
