import json

import pytest
import safetensors.torch
import torch

import classifiers
from classifiers.base import ClassifierError
from classifiers.builtin import ASSETS, load_builtin, read_card
from classifiers.network import ResidualNet
from classifiers.weights import sha256
from photos import gallery, gallery_entry, gallery_photo

CPU = torch.device("cpu")


@pytest.fixture
def assets(tmp_path):
    """A folder like ``assets/`` with a tiny classifier, half precision."""
    torch.manual_seed(0)
    network = ResidualNet(3, (4, 6), (1, 2))
    data = safetensors.torch.save({name: value.half() for name, value in network.state_dict().items()})
    (tmp_path / "classifier.safetensors").write_bytes(data)
    card = {
        "labels": ["ant", "bee", "cow"],
        "widths": [4, 6],
        "depths": [1, 2],
        "working_size": 96,
        "saliency": "cam",
    }
    write_card(tmp_path, **card, mean=[0.4] * 3, std=[0.2] * 3, sha256=sha256(data))
    return tmp_path


def write_card(assets, **card):
    (assets / "classifier.json").write_text(json.dumps(card))


def refused(assets):
    with pytest.raises(ClassifierError) as raised:
        load_builtin(device=CPU, assets=assets)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_everything_on_the_card_arrives(assets):
    model = load_builtin(device=CPU, assets=assets)
    card = read_card(assets)
    assert model.name == "builtin"
    assert model.identity == f"builtin:{card['sha256']}"
    assert model.labels == ("ant", "bee", "cow")
    assert (model.working_size, model.saliency) == (96, "cam")
    assert model.mean.flatten().tolist() == pytest.approx([0.4] * 3)
    assert model.std.flatten().tolist() == pytest.approx([0.2] * 3)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    logits, features = model.with_features(torch.rand(2, 3, 96, 96))
    assert torch.allclose(model.head(features.mean((2, 3))), logits, atol=1e-5)


def test_a_changed_weight_file_is_refused(assets):
    path = assets / "classifier.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "has not the checksum" in refused(assets)


@pytest.mark.parametrize("name", ["classifier.json", "classifier.safetensors"])
def test_a_missing_file_is_named(assets, name):
    (assets / name).unlink()
    assert f"not installed: {name} is missing" in refused(assets)


@pytest.mark.parametrize("text", ["", "{", "[]", '"card"'])
def test_a_broken_card_is_one_sentence(assets, text):
    (assets / "classifier.json").write_text(text)
    assert "no JSON object" in refused(assets)


@pytest.mark.parametrize("key", ["labels", "widths", "depths", "working_size", "saliency", "mean", "std"])
def test_a_card_without_a_value_or_with_a_wrong_one(assets, key):
    card = read_card(assets)
    lost = {name: value for name, value in card.items() if name != key}
    write_card(assets, **lost)
    assert f"lacks '{key}'" in refused(assets)
    if key not in ("working_size", "saliency", "mean", "std"):
        write_card(assets, **lost, **{key: 5})
        assert "of the wrong kind" in refused(assets)


def test_a_card_of_another_network(assets):
    write_card(assets, **(read_card(assets) | {"widths": [4, 8]}))
    assert "does not fit the architecture" in refused(assets)
    write_card(assets, **(read_card(assets) | {"widths": [4, 6], "labels": ["ant", "bee"]}))
    assert "has 3 outputs, but there are 2 labels" in refused(assets)


class TestTheOneThatShips:
    def test_loads_and_predicts(self):
        model = classifiers.load("builtin", device="cpu")
        card = classifiers.read_card()
        assert model.labels == tuple(card["labels"])
        assert len(set(model.labels)) == len(model.labels)
        x = torch.full((1, 3, model.working_size, model.working_size), 0.5)
        logits, features = model.with_features(x)
        assert logits.shape == (1, len(model.labels))
        assert torch.allclose(model.head(features.mean((2, 3))), logits, atol=1e-4)

    def test_is_at_most_16_mb(self):
        assert (ASSETS / "classifier.safetensors").stat().st_size <= 16_000_000

    def test_is_right_on_the_gallery(self):
        model = classifiers.load("builtin", device="cpu")
        for name in gallery():
            x = gallery_photo(name).working(model.working_size)
            assert model.top(model(x), 1)[0][0].label == gallery_entry(name).label, name

    def test_is_surest_of_the_photo_that_a_first_visit_sees(self):
        model = classifiers.load("builtin", device="cpu")
        photos = torch.cat([gallery_photo(name).working(model.working_size) for name in gallery()])
        sureness = model(photos).softmax(1).amax(1)
        assert sureness.argmax() == 0
