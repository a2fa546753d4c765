"""Adversarial training of a built-in classifier: tiny networks, tiny photos."""

import json

import pytest
import safetensors.torch
import torch

from classifiers.builtin import builtin_names, builtin_title, load_builtin, read_card
from classifiers.network import build
from classifiers.weights import sha256
from training import attacked_photos, train_classifier, train_hardened
from training.train_hardened import HardenedRecipe, Hardening, recipe_of

NETWORKS = {
    "": {"architecture": "residual", "widths": [4, 6], "depths": [1, 1]},
    "-vgg": {"architecture": "vgg", "widths": [4, 6], "depths": [1, 1], "options": {"hidden": 7, "slid": 1}},
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(attacked_photos, "BLOCK", 4)
    monkeypatch.setattr(train_classifier, "SIDES", (64, 96))
    monkeypatch.setattr(train_classifier, "SAVE", 0.0)


@pytest.fixture
def assets(tmp_path):
    """A folder like ``assets/`` with tiny classifiers, half precision."""
    folder = tmp_path / "assets"
    folder.mkdir()
    torch.manual_seed(0)
    for name, described in NETWORKS.items():
        state = build(**({"options": {}} | described), labels=2).state_dict()
        halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        data = safetensors.torch.save(halved)
        (folder / f"classifier{name}.safetensors").write_bytes(data)
        card = described | {"labels": ["apple", "bear"], "working_size": 64, "saliency": "cam"}
        card |= {"mean": [0.45] * 3, "std": [0.25] * 3, "sha256": sha256(data)}
        (folder / f"classifier{name}.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def run(labelled_photos, assets, tmp_path):
    def run(name, *more):
        out = tmp_path / name
        place = ["--photos", labelled_photos, "--assets", assets, "--out", out]
        place += ["--checkpoint", tmp_path / f"{name}.pt"]
        fields = ["--epochs", 2, "--batch", 2, "--sides", 32, 32, 32, 32, "--robust-iterations", 2]
        train_hardened.main([str(word) for word in (*place, *fields, *more)])
        return out

    return run


def test_writes_a_classifier_that_is_found(run, capsys):
    out = run("one")
    assert builtin_names(out) == ("builtin", "builtin-hardened")
    assert builtin_title("builtin-hardened") == "Built-in hardened"
    card = read_card("builtin-hardened", out)
    model = load_builtin("builtin-hardened", device=torch.device("cpu"), assets=out)
    assert model.labels == ("apple", "bear")
    assert card["recipe"]["base"] == "builtin"
    assert card["recipe"]["eps"] == pytest.approx(4 / 255)
    assert "ε = 4/255" in card["provenance"]
    robust = card["accuracy"]["robust"]
    assert robust["photos"] == 4
    assert len(robust["accuracy"]) == len(robust["strengths"]) == 13
    assert robust["accuracy"][0] == pytest.approx(100 * card["accuracy"]["top1"])
    assert "2 steps" in robust["attack"]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["robust"] == robust


def test_the_base_decides_on_the_architecture(run, assets):
    card = read_card("builtin-hardened", run("vgg", "--base", "builtin-vgg"))
    assert (card["architecture"], card["widths"], card["options"]["hidden"]) == ("vgg", [4, 6], 7)
    assert recipe_of("builtin", assets)["widths"] == (4, 6)


def test_goes_on_as_if_it_had_not_been_stopped(run, monkeypatch):
    whole = (run("whole") / "classifier-hardened.safetensors").read_bytes()
    step = Hardening.step
    monkeypatch.setattr(Hardening, "step", lambda self, *x: step(self, *x) if self.steps < 3 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("broken")
    monkeypatch.setattr(Hardening, "step", step)
    assert (run("broken") / "classifier-hardened.safetensors").read_bytes() == whole


def test_refuses_photos_of_other_labels(run, labelled_photos):
    (labelled_photos / "train" / "bear").rename(labelled_photos / "train" / "zebra")
    with pytest.raises(ValueError, match="other labels"):
        run("one")


class TestSteps:
    @pytest.fixture
    def training(self, assets):
        fields = recipe_of("builtin", assets)
        return Hardening(HardenedRecipe(**fields, eps=0.03), 2, torch.device("cpu"), assets)

    def test_begins_with_the_weights_of_the_base(self, training, assets, photos):
        model = load_builtin("builtin", device=torch.device("cpu"), assets=assets)
        logits = train_hardened.Seen(training.network.eval())(photos)
        torch.testing.assert_close(logits, model(photos), rtol=0, atol=1e-4)

    def test_photos_are_attacked_within_eps(self, training, photos):
        wanted = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        attacked = training.attacked(photos, wanted, torch.Generator().manual_seed(0))
        assert training.network.training
        assert all(weight.grad is None for weight in training.network.parameters())
        assert 0.02 < (attacked - photos).abs().max() <= 0.03 + 1e-6
        seen = train_hardened.Seen(training.network.eval())

        def loss(x):
            return torch.nn.functional.cross_entropy(seen(x), wanted.argmax(1)).item()

        assert loss(attacked) > loss(photos)
        again = training.attacked(photos, wanted, torch.Generator().manual_seed(0))
        assert torch.equal(again, attacked)
        assert not torch.equal(training.attacked(photos, wanted, torch.Generator().manual_seed(1)), attacked)

    def test_more_steps_are_shorter(self):
        assert HardenedRecipe(eps=0.02).attack.step == pytest.approx(0.025)
        several = HardenedRecipe(eps=0.02, attack_steps=5).attack
        assert (several.step, several.iterations) == (pytest.approx(0.01), 5)
