import re

import pytest
import torch
from torch import nn
from torchvision import models

from classifiers.architectures import ARCHITECTURES, find_architecture
from classifiers.base import Classifier

FAST = ["resnet18", "googlenet", "inception_v3", "efficientnet_b0", "mobilenet_v2"]
FAST += ["mnasnet1_0", "shufflenet_v2_x1_0"]
GOOGLES = ["inception_v3", "googlenet"]
BY_FAMILY = {re.match("[a-z]+", entry.name)[0]: entry for entry in reversed(ARCHITECTURES)}


@pytest.fixture(params=ARCHITECTURES, ids=lambda entry: entry.name)
def entry(request):
    return request.param


def with_random_weights(network, seed=0):
    """``network`` from the meta device onto the CPU, its numbers drawn so that no layer dies or explodes."""
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.fill_(1)
        elif value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(0.5 if name.endswith("weight") else 0, 0.1, generator=generator)
    return network.eval()


def test_names_and_titles_are_unique():
    assert len({entry.name for entry in ARCHITECTURES}) == len({entry.title for entry in ARCHITECTURES})
    assert len({entry.name for entry in ARCHITECTURES}) == len(ARCHITECTURES)
    assert find_architecture("resnet18").title == "ResNet-18"
    assert find_architecture("nothing") is None


def test_official_weights_have_a_checksum_1000_labels_and_a_size_that_photos_can_take(entry):
    weights = entry.weights()
    assert weights.name == "IMAGENET1K_V1"
    assert len(torch.hub.HASH_REGEX.search(weights.url)[1]) >= 8
    assert len(set(weights.meta["categories"])) == 1000
    assert 64 <= weights.transforms().crop_size[0] <= 512
    assert max(weights.meta["min_size"]) <= 75


def test_the_mean_and_std_are_those_of_the_official_weights(entry):
    official = entry.weights().transforms()
    own = entry.name not in GOOGLES  # which torchvision normalises twice
    assert (entry.mean == tuple(official.mean)) is own
    assert (entry.std == tuple(official.std)) is own


@pytest.mark.parametrize("name", GOOGLES)
def test_googles_normalisation_is_torchvisions_two_in_one(name):
    entry = find_architecture(name)
    official = entry.weights().transforms()
    x = torch.rand(2, 3, 8, 8)
    with torch.device("meta"):
        network = models.get_model(name, weights=None, init_weights=False, transform_input=True)
    twice = network._transform_input(
        (x - torch.tensor(official.mean).view(3, 1, 1)) / torch.tensor(official.std).view(3, 1, 1)
    )
    assert torch.allclose((x - 0.5) / 0.5, twice, atol=1e-6)
    assert entry.mean == entry.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("entry", BY_FAMILY.values(), ids=BY_FAMILY.keys())
def test_stage_and_head_are_where_the_table_says(entry):
    network, stage, head = entry.parts(entry.build(labels=7).eval())
    kept = []
    stage.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    smallest = max(64, *entry.weights().meta["min_size"])
    logits = network(torch.empty(2, 3, smallest, smallest, device="meta"))
    assert logits.shape == (2, 7)
    assert kept[0].shape[0] == 2
    assert kept[0].ndim == 4
    assert not any(getattr(module, "inplace", False) for module in network.modules())
    assert not any(name.startswith(entry.training_only) for name in network.state_dict())
    if head is None:
        assert len([layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.LayerNorm)]) != 1
    else:
        assert head.in_features == kept[0].shape[1]
        assert head.out_features == 7


@pytest.mark.parametrize(
    "entry", [entry for entry in ARCHITECTURES if "features." in entry.stage], ids=lambda e: e.name
)
def test_where_layers_are_counted_the_stage_is_the_last_relu(entry):
    features = entry.build(labels=7).features
    assert isinstance(features[-1], nn.MaxPool2d)
    assert features.get_submodule(entry.stage.removeprefix("features.")) is features[-2]
    assert isinstance(features[-2], nn.ReLU)


@pytest.mark.parametrize("name", FAST)
def test_the_head_reads_exactly_the_average_of_the_stage(name):
    entry = find_architecture(name)
    assert entry.head is not None
    network, stage, head = entry.parts(with_random_weights(entry.build(labels=6)))
    side = 75 if name == "inception_v3" else 64
    options = {"identity": name, "mean": entry.mean, "std": entry.std, "working_size": side}
    model = Classifier(name, network, "abcdef", stage=stage, head=head, **options)
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits, features = model.with_features(x)
    assert logits.std() > 0
    assert torch.allclose(
        head(features.mean((2, 3))), logits, rtol=1e-4, atol=1e-4 * logits.abs().max().item()
    )


def test_densenet_is_torchvisions_and_its_stage_is_what_is_averaged():
    entry = find_architecture("densenet121")
    plain = with_random_weights(entry.build(labels=6))
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = plain(x)
        network, stage, head = entry.parts(plain)
        assert torch.allclose(network(x), expected, rtol=1e-4, atol=1e-4)
        features = stage(x)
        assert features.min() >= 0
        assert torch.allclose(head(features.mean((2, 3))), expected, rtol=1e-4, atol=1e-4)
