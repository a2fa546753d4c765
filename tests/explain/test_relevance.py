"""Relevance is conserved, follows its rules, and leaves the network that others use alone."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vgg import VGG, make_layers

from classifiers.base import Classifier
from classifiers.efficientnet import EfficientNetLite, InvertedBlock
from classifiers.network import ResidualNet, VGGNet
from explain import STARTS, Memo, enlarged, propagates, relevance, remembering, top_maps
from explain.twin import twin_of

START = pytest.mark.parametrize("start", STARTS)


def classifier_of(network, stage, head=None):
    return Classifier(
        "made up",
        network,
        "abcde",
        identity="made up",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        working_size=44,
        stage=stage,
        head=head,
    ).double()


def small_vgg(batch_norm=True):
    with torch.device("meta"):  # its own linear layers have a hundred million weights
        network = VGG(nn.Sequential(), num_classes=5, init_weights=False)
    network.features = make_layers([6, "M", 8, 8], batch_norm=batch_norm)
    network.avgpool = nn.AdaptiveAvgPool2d(2)
    network.classifier = nn.Sequential(nn.Linear(32, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 5))
    return network


def made(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        match name:
            case "built-in":
                network = ResidualNet(5, widths=(8, 12, 16, 24), depths=(1, 1, 1, 1))
                model = classifier_of(network, network.features, network.head)
            case "built-in vgg":
                network = VGGNet(5, widths=(8, 12, 16), depths=(1, 1, 2), hidden=20)
                model = classifier_of(network, network.last_map)
            case "efficientnet":
                network = EfficientNetLite(5, (8, 12, 16, 16, 20, 20, 24), (1, 2, 1, 1, 1, 1, 1))
                for module in network.modules():
                    if isinstance(module, nn.Conv2d):  # else hardly anything comes through so many layers
                        nn.init.kaiming_normal_(module.weight)
                for module in network.modules():
                    if isinstance(
                        module, InvertedBlock
                    ):  # else relevance ends where nothing raises an output
                        module.layers[-1][0].weight.data.abs_()
                model = classifier_of(network, network.features, network.head)
            case "resnet":
                network = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5)
                model = classifier_of(network, network.layer4, network.fc)
            case _:
                network = small_vgg(batch_norm=name == "vgg_bn")
                model = classifier_of(network, network.features)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model


@pytest.fixture(params=["built-in", "built-in vgg", "efficientnet", "resnet", "vgg", "vgg_bn"])
def model(request):
    return made(request.param)


def without_biases(model):
    for module in model.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.running_mean)
            module.eps = 0  # zennit leaves it where it was: the merged network's activity is a bit smaller
    return model


def above_the_rest(scores, labels):
    ranked = scores.sort(1, descending=True).values
    return ranked[:, :labels].sum(1) - labels * ranked[:, labels:].mean(1)


def put_in(model, x, start, top_k):
    scores, features = model.with_features(x)
    if start == "class-free":
        return features.sum((1, 2, 3))
    return above_the_rest(scores, top_k if start == "top-k" else 1)


@START
def test_relevance_is_conserved(model, photos, start):
    """What comes out is what was put in, but for what ε keeps: the less of it, the closer."""
    x = photos.double()
    without_biases(model)
    expected = put_in(model, x, start, 3)
    errors = []
    for epsilon in (1e-2, 1e-5, 1e-8):
        result = relevance(x, model, start=start, top_k=3, epsilon=epsilon)
        errors.append(float(((result.sum((1, 2, 3)) - expected) / expected).abs().max()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-4


@pytest.mark.parametrize(("top_k", "labels"), [(1, 1), (3, 3), (4, 4), (10, 4)])
def test_top_k_counts_at_most_all_labels_but_one(photos, top_k, labels):
    x, model = photos.double(), without_biases(made("built-in"))
    result = relevance(x, model, start="top-k", top_k=top_k, epsilon=1e-10).sum((1, 2, 3))
    torch.testing.assert_close(result, above_the_rest(model(x), labels), rtol=1e-5, atol=1e-9)


def test_what_is_missing_is_what_biases_keep(photos):
    x, model = photos.double(), made("built-in")
    without_biases(model)
    model.head.bias.copy_(torch.tensor([0.0, 0.01, 0.02, 0.03, 0.04]))
    scores = model(x)
    kept = [model.head.bias[label] for label in scores.argmax(1)]
    kept = torch.stack([own - (model.head.bias.sum() - own) / 4 for own in kept])
    result = relevance(x, model, start="predicted", epsilon=1e-10).sum((1, 2, 3))
    assert (kept.abs() > 1e-3).all()
    torch.testing.assert_close(result, above_the_rest(scores, 1) - kept, rtol=1e-5, atol=1e-9)


def test_a_constant_on_all_logits_changes_nothing(photos):
    x, model = photos.double(), made("built-in")
    expected = {start: relevance(x, model, start=start, top_k=2, epsilon=1e-12) for start in STARTS}
    biases = model.head.bias.clone()
    for shift in (-5, 5):
        model.head.bias.copy_(biases + shift)
        for start in STARTS:
            result = relevance(x, model, start=start, top_k=2, epsilon=1e-12)
            torch.testing.assert_close(result, expected[start], rtol=1e-5, atol=1e-9)


@START
def test_a_map_per_photo(model, photos, start):
    result = relevance(photos.double(), model, start=start)
    assert result.shape == (3, 1, 44, 53)
    assert result.isfinite().all()
    assert not result.requires_grad
    assert (result.amax((1, 2, 3)) > 0).all()
    alone = relevance(photos[1:2].double(), model, start=start)
    torch.testing.assert_close(alone[0], result[1], rtol=1e-8, atol=1e-12)


def by_hand(x, model):
    """The rules, in NumPy: 1 x 1 convolution, batch norm, ReLU, pooling to 1, one linear layer."""
    conv, norm, _ = model.network.features
    linear = model.network.classifier
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (conv.weight[:, :, 0, 0] * scale[:, None]).numpy()
    bias = ((conv.bias - norm.running_mean) * scale + norm.bias).numpy()
    pixels = []
    for photo in x.numpy():
        z = (photo - 0.5) / 0.25
        activity = np.maximum(np.einsum("oc,chw->ohw", weight, z) + bias[:, None, None], 0)
        label = int(model(torch.from_numpy(photo)[None]).argmax())
        mean = activity.mean((1, 2))
        weights = linear.weight.numpy()
        others = np.delete(weights, label, axis=0).mean(0)
        of_plane = mean * (weights[label] - others)  # the ε rule: what each plane adds to the distance
        of_place = activity / activity.sum((1, 2), keepdims=True) * of_plane[:, None, None]
        parts = weight[:, :, None, None] * z
        positive = np.maximum(parts, 0)
        whole = positive.sum(1, keepdims=True) + np.maximum(bias, 0)[:, None, None, None]
        pixels.append((positive / whole * of_place[:, None]).sum((0, 1)))
    return np.stack(pixels)[:, None]


def test_equal_to_the_rules_by_hand(photos):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = small_vgg()
        network.features = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
        network.avgpool = nn.AdaptiveAvgPool2d(1)
        network.classifier = nn.Linear(4, 5)
        norm = network.features[1]
        for values in (norm.weight, norm.running_var, norm.bias, norm.running_mean):
            nn.init.uniform_(values, 0.3, 1)
    model = classifier_of(network, network.features)
    x = photos.double()
    result = relevance(x, model, start="predicted", epsilon=1e-12)
    np.testing.assert_allclose(result, by_hand(x, model), rtol=1e-3, atol=1e-9)


def test_a_way_that_adds_nothing_gets_nothing(photos):
    """A residual block whose convolutions give 0 is as good as none."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ResidualNet(5, widths=(8,), depths=(1,))
    plain = ResidualNet(5, widths=(8,), depths=(0,))
    nn.init.zeros_(network.features[4].second[1].weight)
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if ".4." not in name})
    x = photos.double()
    with_block, without = (classifier_of(part, part.features, part.head) for part in (network, plain))
    for start in STARTS:
        expected = relevance(x, without, start=start, epsilon=1e-12)
        result = relevance(x, with_block, start=start, epsilon=1e-12)
        torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-12)


def test_starts(photos):
    x, model = photos.double(), made("built-in")
    predicted = relevance(x, model, start="predicted")
    assert torch.equal(relevance(x, model, start="top-k", top_k=1), predicted)
    more = relevance(x, model, start="top-k", top_k=10)
    assert torch.equal(relevance(x, model, start="top-k", top_k=4), more)  # of five labels, all but one
    free = relevance(x, model, start="class-free")
    model.head.weight.copy_(model.head.weight.flip(0, 1))
    assert torch.equal(relevance(x, model, start="class-free"), free)
    assert not torch.allclose(relevance(x, model, start="predicted"), predicted)
    with pytest.raises(ValueError, match="start is one of class-free, predicted, top-k, not 'logit'"):
        relevance(x, model, start="logit")


def test_a_network_of_another_kind_gets_its_class_map(photos):
    stage = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU())
    model = classifier_of(
        nn.Sequential(stage, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)), stage
    )
    x = photos.double()
    assert not propagates(model)
    for start, labels in (("class-free", 1), ("predicted", 1), ("top-k", 3)):
        expected = enlarged(top_maps(x, model, top_k=labels).relu().sum(1, keepdim=True), (44, 53))
        assert torch.equal(relevance(x, model, start=start, top_k=3), expected)


def test_it_is_remembered(photos, tiny_classifier):
    memo = Memo(10**7)
    with remembering(memo):
        first = relevance(photos, tiny_classifier, start="class-free")
        tiny_classifier.network.forward = None  # would fail if it were asked again
        assert torch.equal(relevance(photos, tiny_classifier, start="class-free"), first)


# --- what others have of the network ------------------------------------------------------------------------


def hooks(model):
    named = [name for name in vars(model) if name.endswith("_hooks")]
    return sum(len(getattr(module, name)) for module in model.modules() for name in named)


def test_the_twin_shares_the_weights(model):
    model.stage.register_forward_hook(lambda *_: None)
    twin, stage = twin_of(model)
    assert hooks(twin) == 0
    assert hooks(model) == 1
    assert any(module is stage for module in twin.modules())
    assert not set(twin.modules()) & set(model.modules())
    theirs, ours = model.network.state_dict(), twin.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(value.data_ptr() == theirs[name].data_ptr() for name, value in ours.items())


@START
def test_the_twin_goes_with_the_call(photos, monkeypatch, start):
    twins = []

    def noted(model):
        network, stage = twin_of(model)
        twins.append(weakref.ref(network))
        return network, stage

    monkeypatch.setattr(sys.modules["explain.relevance"], "twin_of", noted)
    result = relevance(photos.double(), made("built-in"), start=start)
    gc.collect()
    assert result.any()
    assert [twin() for twin in twins] == [None]


@START
def test_nothing_is_left_behind(model, photos, start):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    relevance(photos.double(), model, start=start)
    assert hooks(model) == 0
    assert before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_nothing_is_left_behind_after_an_error(photos):
    model = made("built-in")

    def broken(_):
        raise RuntimeError("broken on purpose")

    expected = model.with_features(photos.double())[1]
    model.network.head.forward = broken
    with pytest.raises(RuntimeError, match="on purpose"):
        relevance(photos.double(), model, start="class-free")
    del model.network.head.forward
    assert hooks(model) == 0
    assert torch.equal(model.with_features(photos.double())[1], expected)


def test_another_thread_may_use_the_network_meanwhile(photos):
    x, model = photos.double(), made("built-in")
    expected = {start: relevance(x, model, start=start) for start in STARTS}

    def gradient():
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(model(leaf).amax(1).sum(), leaf)[0]

    usual, head = gradient(), model.network.head
    inside, go_on = threading.Event(), threading.Event()
    forward, answers = head.forward, {}

    def paused(features):
        if threading.current_thread() is worker:
            inside.set()
            assert go_on.wait(60)
        return forward(features)

    head.forward = paused
    worker = threading.Thread(target=lambda: answers.update(own=relevance(x, model, start="predicted")))
    worker.start()
    assert inside.wait(60)
    assert hooks(model) == 0
    assert torch.equal(gradient(), usual)
    assert torch.equal(relevance(x, model, start="class-free"), expected["class-free"])
    go_on.set()
    worker.join(60)
    assert torch.equal(answers["own"], expected["predicted"])
