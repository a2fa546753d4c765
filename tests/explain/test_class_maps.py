"""Class activation maps against their definition, and their combination."""

import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from classifiers.base import Classifier
from explain import COMBINATIONS, class_maps, combined, enlarged, object_map, robust_cam, top_maps


@pytest.fixture
def resnet():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = resnet18(num_classes=7)
    return Classifier(
        "resnet",
        network,
        [f"label {number}" for number in range(7)],
        identity="resnet-0",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        working_size=64,
        stage=network.layer4,
        head=network.fc,
    )


@pytest.fixture(params=["tiny", "resnet"])
def model(request, tiny_classifier, resnet):
    return tiny_classifier if request.param == "tiny" else resnet


def test_equal_to_the_definition(model, photos):
    labels = torch.tensor([[0, 2, 4], [1, 0, 3], [4, 3, 2]])
    result = class_maps(photos, model, labels)
    scores, features = model.with_features(photos)
    for photo in range(3):
        for rank in range(3):
            label = labels[photo, rank]
            weights = model.head.weight[label] - sum(model.head.weight) / len(model.labels)
            expected = sum(weights[c] * features[photo, c] for c in range(features.shape[1]))
            torch.testing.assert_close(result[photo, rank], expected, rtol=0, atol=1e-5)
            bias = model.head.bias[label] - model.head.bias.mean()
            distance = scores[photo, label] - scores[photo].mean()
            torch.testing.assert_close(expected.mean() + bias, distance, rtol=0, atol=1e-4)


@pytest.mark.parametrize("head", [True, False], ids=["linear head", "no head"])
def test_what_changes_no_prediction_changes_no_map(model, photos, head):
    """The same weights added to those of every label move all logits alike."""
    model = model.double()
    x, labels = photos.double(), torch.tensor([[0, 2], [1, 0], [4, 3]])
    linear = model.head
    if not head:
        model.head = None
    before, chances = class_maps(x, model, labels), model(x).softmax(1)
    robust = robust_cam(x, model, top_k=3, combination="geometric-mean")
    linear.weight.sub_(10 * linear.weight.abs().max())
    torch.testing.assert_close(model(x).softmax(1), chances)
    torch.testing.assert_close(class_maps(x, model, labels), before)
    torch.testing.assert_close(robust_cam(x, model, top_k=3, combination="geometric-mean"), robust)


def test_layercam_leaves_out_of_cam_what_speaks_against(model, photos):
    model = model.double()
    x, labels = photos.double(), torch.tensor([[0, 2], [1, 0], [4, 3]])
    _, features = model.with_features(x)
    weights = model.head.weight - sum(model.head.weight) / len(model.labels)
    weights = weights[labels].clamp(min=0) / features[0, 0].numel()
    expected = torch.einsum("bkc,bchw->bkhw", weights, features)
    model.head = None
    torch.testing.assert_close(class_maps(x, model, labels), expected)


def test_the_top_labels_come_likeliest_first(model, photos):
    labels = model(photos).argsort(1, descending=True)
    torch.testing.assert_close(top_maps(photos, model, top_k=3), class_maps(photos, model, labels[:, :3]))
    assert top_maps(photos, model, top_k=10).shape[1] == min(10, len(model.labels))


def stretched(plane):
    return (plane - plane.min()) / (plane.max() - plane.min())


def test_combinations_by_their_formulas():
    maps = torch.randn(2, 4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for photo, planes in enumerate(maps.numpy()):
        each = np.stack([stretched(plane) for plane in planes])
        geometric = stretched(np.prod(0.1 + 0.9 * each, 0) ** (1 / 4))
        halving = stretched(sum(plane / 2 ** (rank + 1) for rank, plane in enumerate(each)))
        np.testing.assert_allclose(combined(maps, "geometric-mean")[photo, 0], geometric, atol=1e-12)
        np.testing.assert_allclose(combined(maps, "halving-weights")[photo, 0], halving, atol=1e-12)


def test_where_one_map_is_zero_the_others_still_count():
    """Five maps that are positive at one place each, the last place in none of them."""
    maps = torch.zeros(1, 5, 1, 6)
    maps[0, range(5), 0, range(5)] = 1
    maps[0, 1, 0, 0] = 0.5
    result = combined(maps, "geometric-mean")[0, 0, 0]
    assert result[0] == 1
    assert result[5] == 0
    assert (result[1:5] > 0.1).all()


def test_an_unknown_combination_is_refused():
    with pytest.raises(ValueError, match="geometric-mean"):
        combined(torch.rand(1, 2, 3, 3, generator=torch.Generator().manual_seed(0)), "sum")


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_robust_map_is_a_probability_for_each_pixel(model, photos, combination):
    result = robust_cam(photos, model, top_k=5, combination=combination)
    assert result.shape == (3, 1, 44, 53)
    assert (result.amin((1, 2, 3)) == 0).all()
    assert (result.amax((1, 2, 3)) == 1).all()
    alone = robust_cam(photos[1:2], model, top_k=5, combination=combination)
    torch.testing.assert_close(alone[0], result[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_it_can_be_differentiated(tiny_classifier, photos, combination):
    x = photos.double().requires_grad_()
    value = robust_cam(x, tiny_classifier.double(), top_k=3, combination=combination).square().sum()
    (gradient,) = torch.autograd.grad(value, x)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_one_pass_through_the_network(tiny_classifier, photos):
    passes = []
    tiny_classifier.network.register_forward_hook(lambda *_: passes.append(1))
    robust_cam(photos, tiny_classifier, top_k=5, combination="geometric-mean")
    assert len(passes) == 1


def test_the_object_map_is_what_lies_above_the_mean(model, photos):
    label = model(photos).argmax(1, keepdim=True)
    cam = enlarged(class_maps(photos, model, label), photos.shape[-2:])
    result = object_map(photos, model)
    above = cam > cam.mean((2, 3), keepdim=True)
    torch.testing.assert_close(result[above], (cam - cam.mean((2, 3), keepdim=True))[above])
    assert (result[~above] == 0).all()
    # Shifted by any constant, as a bias does, it is the same, and never empty.
    model.head.weight.sub_(10 * model.head.weight.abs().max())
    assert (object_map(photos, model).amax((1, 2, 3)) > 0).all()
