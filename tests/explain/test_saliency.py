import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import IntegratedGradients, Saliency
from torch import nn

from classifiers.base import Classifier
from explain import LOSSES, SALIENCIES, Memo, chosen, formula, logits, remembering, saliency, share_inside
from explain.class_maps import evidence
from explain.saliency import NOISE, PATH_STEPS, SAMPLES

BY_PLACE = ("cam", "hirescam")
METHODS = pytest.mark.parametrize("method", SALIENCIES)


@pytest.fixture
def model(tiny_classifier):
    return tiny_classifier.double()


@pytest.fixture
def x(photos):
    return photos.double()


def loss_of(scores, labels):
    """The cross-entropy summed over ``labels`` (B, k), label by label."""
    return sum(F.cross_entropy(scores, labels[:, rank], reduction="none") for rank in range(labels.shape[1]))


@METHODS
def test_a_map_per_photo(model, x, method):
    result = saliency(x, model, method=method)
    assert result.shape == (3, 1, 44, 53)
    assert result.dtype == x.dtype
    assert (result >= 0).all()
    assert (result.amax((1, 2, 3)) > 0).all()
    assert not result.requires_grad


@pytest.mark.parametrize("top_k", [1, 3, 5])
def test_gradient_equals_captums(model, x, top_k):
    labels = model(x).argsort(1, descending=True)[:, :top_k]
    expected = Saliency(lambda photos: loss_of(model(photos), labels)).attribute(x.clone().requires_grad_())
    result = saliency(x, model, method="gradient", top_k=top_k)
    torch.testing.assert_close(result, expected.amax(1, keepdim=True))


def test_gradient_equals_differences_of_the_loss(model, x):
    labels = model(x).topk(2, dim=1).indices
    result = saliency(x, model, method="gradient", top_k=2)
    for row, column in [(6, 32), (25, 15), (40, 45)]:
        slopes = []
        for channel in range(3):
            nudge = torch.zeros_like(x)
            nudge[:, channel, row, column] = 1e-6
            above, below = loss_of(model(x + nudge), labels), loss_of(model(x - nudge), labels)
            slopes.append((above - below) / 2e-6)
        expected = torch.stack(slopes).abs().amax(0)
        torch.testing.assert_close(result[:, 0, row, column], expected, rtol=1e-4, atol=1e-9)


def test_top_score_is_the_gradient_of_the_predicted_labels_logit(model, x):
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=model(x).argmax(1))
    result = saliency(x, model, method="gradient", loss="top score")
    torch.testing.assert_close(result, expected.amax(1, keepdim=True))


def test_more_labels_than_there_are_means_all(model, x):
    result = saliency(x, model, method="gradient", top_k=10)
    assert torch.equal(result, saliency(x, model, method="gradient", top_k=5))


def test_integrated_gradients_equals_captums_without_our_gradient(model, x):
    labels = model(x).topk(3, dim=1).indices
    expected = IntegratedGradients(lambda photos, labels: loss_of(model(photos), labels)).attribute(
        x, additional_forward_args=labels, n_steps=PATH_STEPS
    )
    result = saliency(x, model, method="integrated-gradients", top_k=3)
    torch.testing.assert_close(result, expected.abs().amax(1, keepdim=True), rtol=1e-5, atol=1e-9)


def test_smoothgrad_equals_a_plain_loop_over_numpys_mean(model, x):
    labels = model(x).topk(3, dim=1).indices
    generator = torch.Generator().manual_seed(7)
    gradients = []
    for _ in range(SAMPLES):
        noise = torch.randn(3, 44, 53, generator=generator)
        noisy = (x + NOISE * noise).requires_grad_()
        gradients.append(torch.autograd.grad(loss_of(model(noisy), labels).sum(), noisy)[0].numpy())
    expected = np.abs(np.mean(gradients, axis=0)).max(1, keepdims=True)
    result = saliency(x, model, method="smoothgrad", top_k=3, seed=7)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_smoothgrads_draws_are_its_own(model, x):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = saliency(x, model, method="smoothgrad", seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, saliency(x, model, method="smoothgrad", seed=1))
    assert not torch.allclose(first, saliency(x, model, method="smoothgrad", seed=2))


def test_cam_is_exact(model, x):
    """The mean of the predicted label's map, plus the bias, is that label's logit."""
    scores, features = model.with_features(x)
    for photo in range(3):
        label = int(scores[photo].argmax())
        small = sum(
            weight * plane for weight, plane in zip(model.head.weight[label], features[photo], strict=True)
        )
        torch.testing.assert_close(small.mean() + model.head.bias[label], scores[photo, label])
        large = F.interpolate(small.clamp(min=0)[None, None], (44, 53), mode="bilinear")[0]
        torch.testing.assert_close(saliency(x, model, method="cam")[photo], large)


def small_classifier(network, stage):
    """A classifier without a linear head around any network, its weights made of sines."""
    with torch.no_grad():
        for number, weight in enumerate(network.parameters()):
            weight.copy_(torch.sin(torch.arange(weight.numel()) * (number + 1.0)).view_as(weight))
    none, one = (0.0,) * 3, (1.0,) * 3
    return Classifier(
        "small",
        network,
        "abcde",
        identity="small",
        mean=none,
        std=one,
        working_size=8,
        stage=stage,
        head=None,
    ).double()


def behind_a_maximum():
    """Four channels, of each of which the largest value over all places goes into one linear layer."""
    stage, linear = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()), nn.Linear(4, 5, bias=False)
    return small_classifier(
        nn.Sequential(stage, nn.AdaptiveMaxPool2d(1), nn.Flatten(), linear), stage
    ), linear


def where_the_maxima_are(model, x, weights):
    """Σ of weight (B, 4) times maximum of each channel at the place of that maximum, (B, 1, H, W)."""
    features = model.with_features(x)[1]
    heights, places = features.flatten(2).max(2)
    found = torch.zeros_like(features[:, 0]).flatten(1).scatter_add(1, places, weights * heights)
    return found.view_as(features[:, :1])


def test_cam_of_a_network_without_a_linear_head_is_what_speaks_for_the_label(x):
    """LayerCAM: behind a maximum it lies where the maxima are, and what speaks against is left out."""
    model, linear = behind_a_maximum()
    weights = linear.weight[model(x).argmax(1)]
    assert (weights < 0).any()
    expected = where_the_maxima_are(model, x, weights.clamp(min=0))
    assert expected.amax((1, 2, 3)).all()
    torch.testing.assert_close(saliency(x, model, method="cam"), expected)


def test_hirescam_is_cam_over_its_pixels_where_cam_is_exact(model, x):
    pixels = model.with_features(x)[1][0, 0].numel()
    exact = saliency(x, model, method="cam") / pixels
    torch.testing.assert_close(saliency(x, model, method="hirescam"), exact)
    model.head = None
    torch.testing.assert_close(saliency(x, model, method="hirescam"), exact)


def test_hirescam_lies_where_the_maxima_are(x):
    """Behind a maximum over all places each channel counts at one place, and there with all of its score."""
    model, linear = behind_a_maximum()
    scores = model(x)
    found = evidence(x, model)
    torch.testing.assert_close(found, where_the_maxima_are(model, x, linear.weight[scores.argmax(1)]))
    torch.testing.assert_close(found.sum((1, 2, 3)), scores.amax(1))
    torch.testing.assert_close(saliency(x, model, method="hirescam"), found.clamp(min=0))


def test_smoothgrad_keeps_to_the_label_of_the_photo_itself():
    """On its noisy copies the label wavers, and slopes towards both labels would cancel out."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    model = small_classifier(network, network[0])
    x = torch.full((1, 3, 4, 4), 0.5, dtype=torch.float64)
    with torch.no_grad():
        network[1].weight[1] = -network[1].weight[0]
        network[1].bias.copy_(torch.tensor([1e-3, 0.0]) - network[1].weight @ x.flatten())
    generator = torch.Generator().manual_seed(0)
    noisy = [x + NOISE * torch.randn(3, 4, 4, generator=generator) for _ in range(SAMPLES)]
    assert {int(model(photo).argmax()) for photo in noisy} == {0, 1}

    slopes = []
    for photo in noisy:
        leaf = photo.clone().requires_grad_()
        slopes.append(torch.autograd.grad(F.cross_entropy(model(leaf), model(x).argmax(1)), leaf)[0])
    expected = torch.stack(slopes).mean(0).abs().amax(1, keepdim=True)
    torch.testing.assert_close(saliency(x, model, method="smoothgrad", top_k=1, seed=0), expected)


@METHODS
def test_alone_as_in_a_batch(model, x, method):
    together = saliency(x, model, method=method)
    for photo in range(3):
        alone = saliency(x[photo : photo + 1], model, method=method)
        torch.testing.assert_close(alone, together[photo : photo + 1], rtol=1e-5, atol=1e-10)


@METHODS
@pytest.mark.parametrize("loss", LOSSES)
def test_its_own_gradient_is_exact(model, x, method, loss):
    """Along a random direction, against the difference quotient of the map."""
    x = x[:1]
    generator = torch.Generator().manual_seed(3)
    direction = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    weights = torch.rand(1, 1, 44, 53, generator=generator, dtype=x.dtype)

    def value(photo):
        return (weights * saliency(photo, model, method=method, top_k=3, loss=loss)).sum()

    leaf = x.clone().requires_grad_()
    slope = (torch.autograd.grad(value(leaf), leaf)[0] * direction).sum()
    step = 1e-7
    expected = (value(x + step * direction) - value(x - step * direction)) / (2 * step)
    # Up to its ReLUs the network is linear: the slope of a score is constant, the slope of a loss is not.
    assert (abs(expected) > 1e-6) == (
        loss == "cross-entropy" or method in (*BY_PLACE, "integrated-gradients")
    )
    torch.testing.assert_close(slope, expected, rtol=1e-3, atol=1e-6)


@METHODS
def test_no_gradient_where_none_is_wanted(model, x, method):
    leaf = x.clone().requires_grad_()
    with torch.no_grad():
        result = saliency(leaf, model, method=method)
    assert not result.requires_grad
    torch.testing.assert_close(result, saliency(x, model, method=method))
    assert leaf.grad is None
    assert leaf.requires_grad
    assert not x.requires_grad


@METHODS
@pytest.mark.parametrize("shape", [(1, 20), (20, 1), (1, 1)])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.37])
def test_flat_and_thin_photos_give_numbers(tiny_classifier, method, shape, value):
    result = saliency(torch.full((2, 3, *shape), value), tiny_classifier, method=method)
    assert result.shape == (2, 1, *shape)
    assert result.isfinite().all()


def test_auto_is_the_models_own(model, x):
    model.saliency = "cam"
    assert chosen("auto", model) == "cam"
    assert chosen("gradient", model) == "gradient"
    assert torch.equal(saliency(x, model, method="auto"), saliency(x, model, method="cam"))


def test_unknown_words_are_named(model, x):
    with pytest.raises(ValueError, match=r"saliency is one of auto, gradient, cam.*not 'lime'"):
        saliency(x, model, method="lime")
    with pytest.raises(ValueError, match=r"loss is one of cross-entropy, top score, not 'hinge'"):
        saliency(x, model, method="gradient", loss="hinge")


@METHODS
def test_the_formula_names_its_loss(model, method):
    five, one = formula(method, model), formula(method, model, top_k=1)
    score = formula(method, model, loss="top score")
    assert five.startswith("M = ")
    assert (len({five, one, score}) == 3) == (method not in BY_PLACE)
    model.saliency = method
    assert formula("auto", model) == five
    model.head = None
    assert (formula(method, model) != five) == (method == "cam")


@METHODS
def test_remembered_by_all_that_it_depends_on(model, x, method):
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    model.saliency = method

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
        assert (cost(x, top_k=2) > 0) == (method not in BY_PLACE)
        assert (cost(x, loss="top score") > 0) == (method not in BY_PLACE)
        assert (cost(x, seed=5) > 0) == (method == "smoothgrad")


def test_logits_are_remembered(model, x):
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    with remembering(Memo(10**7)):
        first = logits(x, model)
        assert torch.equal(first, logits(x, model))
    assert len(passes) == 1
    assert torch.equal(first, model(x))


def test_share_inside_is_a_share_of_the_mass_of_each_map():
    maps = torch.tensor([[[[1.0, 3.0], [0.0, 4.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    mask = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    assert share_inside(maps, mask).tolist() == [3 / 8, 0]
