import io

import pytest
import safetensors.torch
import torch

from classifiers import ClassifierError, architectures, own
from classifiers.architectures import find_architecture
from classifiers.network import ResidualNet

LABELS = b"ant\nbee\ncow\ndog"


def saved(network):
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def residual():
    torch.manual_seed(0)
    return ResidualNet(4, (6, 8, 8, 12), (2, 1, 3, 1)).eval()


@pytest.fixture(scope="module")
def mobilenet():
    entry = find_architecture("mobilenet_v3_small")
    network = entry.build(labels=4).to_empty(device="cpu")
    for value in network.state_dict().values():
        value.fill_(0.01)
    return network


def test_architectures_are_ours_and_torchvisions():
    assert architectures()[0] == "unfool residual"
    assert "resnet18" in architectures()


def test_widths_and_depths_of_our_network_are_read_from_the_file(residual, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(safetensors.torch.save(residual.state_dict()))
    (tmp_path / "labels.txt").write_bytes(LABELS)
    model = own("unfool residual", tmp_path / "weights.safetensors", tmp_path / "labels.txt", device="cpu")
    assert model.labels == ("ant", "bee", "cow", "dog")
    assert model.name == "own unfool residual"
    x = torch.rand(1, 3, 64, 64)
    assert torch.allclose(model(x), residual((x - 0.45) / 0.25), atol=1e-6)
    assert model.head is not None
    assert model.stage is model.network.features


def test_one_of_torchvisions_with_other_labels(mobilenet):
    model = own("mobilenet_v3_small", saved(mobilenet), LABELS, name="mine", device="cpu", working_size=128)
    assert (model.name, model.working_size, model.head) == ("mine", 128, None)
    assert model.identity.startswith("mine:")
    assert model.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 4)


def test_normalisation_can_be_given_and_is_part_of_the_identity(residual):
    plain = own("unfool residual", saved(residual), LABELS, device="cpu")
    again = own("unfool residual", saved(residual), LABELS, device="cpu")
    other = own("unfool residual", saved(residual), LABELS, device="cpu", mean=(0, 0, 0), std=(1, 1, 1))
    renamed = own("unfool residual", saved(residual), LABELS.replace(b"ant", b"elk"), device="cpu")
    assert plain.identity == again.identity
    assert len({plain.identity, other.identity, renamed.identity}) == 3
    x = torch.rand(1, 3, 64, 64)
    assert torch.allclose(other(x), residual(x), atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"architecture": "resnet9000"}, "The architecture is one of unfool residual, resnet18"),
        ({"architecture": "mobilenet_v3_small"}, "does not fit the architecture: it lacks"),
        ({"labels": b"ant\nbee"}, "has 4 outputs, but there are 2 labels"),
        ({"labels": b"ant"}, "needs at least two labels"),
        ({"weights": b"nonsense"}, "is damaged or is no PyTorch or safetensors file"),
        ({"weights": b""}, "The weight file is empty"),
        ({"mean": (1, 2)}, "The mean of a classifier is three numbers"),
        ({"mean": "abc"}, "The mean of a classifier is three numbers"),
        ({"std": (1, 0, 1)}, "three numbers over 0"),
        ({"std": (1, float("nan"), 1)}, "three numbers"),
        ({"device": "tpu"}, "has no device 'tpu'"),
    ],
)
def test_every_mismatch_is_one_sentence(residual, changed, sentence):
    arguments = {
        "architecture": "unfool residual",
        "weights": saved(residual),
        "labels": LABELS,
        "device": "cpu",
    }
    with pytest.raises(ClassifierError) as raised:
        own(**(arguments | changed))
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_of_another_network_is_not_taken_for_ours(mobilenet):
    with pytest.raises(ClassifierError, match="it holds no unfool residual network"):
        own("unfool residual", saved(mobilenet), LABELS, device="cpu")


@pytest.mark.parametrize("shape", [(), (1, 3, 3, 3), (10**9, 1)])
def test_hostile_shapes_build_no_huge_network(residual, shape):
    state = residual.state_dict() | {
        "features.4.first.0.weight": torch.zeros(1).expand(shape) if shape else torch.tensor(1.0)
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with pytest.raises(ClassifierError, match="does not fit the architecture"):
        own("unfool residual", buffer.getvalue(), LABELS, device="cpu")
