import copy
import hashlib
import json

import pytest
import torch
from scipy.stats import binomtest

from attacks.patch_training import RECIPES, Recipe, Training
from attacks.placement import pasted
from attacks.universal_patch import read_cards, read_patch, resized
from photos import gallery_photo, read_photo
from training import train_patch


@pytest.fixture
def run(labelled_photos, as_builtin, tmp_path):
    def run(name, *more):
        place = [
            "--photos",
            str(labelled_photos),
            "--out",
            str(tmp_path / "out"),
            "--checkpoint",
            str(tmp_path / f"{name}.pt"),
        ]
        fields = ["--target", "Egg", "--name", name, "--steps", "5", "--batch", "3", "--share", "0.2"]
        train_patch.main([*place, *fields, *more])
        return tmp_path / "out"

    return run


def test_writes_a_patch_that_the_attack_can_read(run, tiny_classifier, capsys):
    out = run("egg")
    card = read_cards(out)["egg"]
    assert (card.target, card.share, card.classifier) == ("egg", 0.2, "tiny-0")
    assert card.everything["place"] == {"x": 1.0, "y": 0.0, "margin": 0.025}
    assert card.everything["side"] == 29
    assert card.everything["photo_side"] == tiny_classifier.working_size
    assert card.everything["recipe"]["steps"] == 5
    assert card.everything["val"]["photos"] <= 4
    assert card.everything["kind"] == "lavan"
    for share in ("fooled", "fooled turned", "fooled anywhere", "probability"):
        assert 0 <= card.everything["val"][share] <= 1
    assert card.everything["provenance"]
    file = out / "egg.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == card.sha256
    assert read_patch(file, card.sha256).shape == (3, 29, 29)
    log = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in log[:-1]] == [1, 2, 3, 4, 5]
    assert log[-1] == {"name": "egg", **card.everything["val"]}


def test_a_finished_training_is_measured_on_other_photos(run, labelled_photos, tiny_classifier, monkeypatch):
    folders = [labelled_photos / part for part in ("val", "train")]
    pictures = {
        folder.name: torch.cat(
            [read_photo(file.read_bytes(), file.name).working(64) for file in sorted(folder.glob("*/*.jpg"))]
        )
        for folder in folders
    }
    every = torch.cat(list(pictures.values()))
    # Of firm opinions that differ by photo, and some of them for the target.
    tiny_classifier.head.weight.mul_(100)
    tiny_classifier.head.bias.sub_(tiny_classifier(every).mean(0))
    target = tiny_classifier.labels[tiny_classifier(every).argmax(1).mode().values]
    whole = read_cards(run("egg", "--target", target))["egg"].everything
    monkeypatch.setattr(Training, "learn", None)
    out = run("egg", "--target", target, "--measure-on", *map(str, folders))
    card = read_cards(out)["egg"].everything
    assert {**card, "val": None} == {**whole, "val": None}
    patch, number = read_patch_of(out, "egg"), tiny_classifier.index(target)
    hits = photos = 0
    for row, (name, x) in zip(card["val"]["sources"], pictures.items(), strict=True):
        mine = [
            int(tiny_classifier(pasted(photo, Recipe(share=0.2).box(64), patch)).argmax()) == number
            for photo in x.split(1)
            if int(tiny_classifier(photo).argmax()) != number
        ]
        assert (row["name"], row["of"], row["drawn"], row["photos"]) == (name, 4, 4, len(mine))
        assert row["fooled"] == pytest.approx(sum(mine) / max(len(mine), 1), abs=1e-4)
        hits, photos = hits + sum(mine), photos + len(mine)
    assert 0 < photos < 8
    assert card["val"]["photos"] == photos
    assert card["val"]["fooled"] == pytest.approx(hits / photos, abs=1e-4)
    interval = binomtest(hits, photos).proportion_ci(0.95, method="wilson")
    assert card["val"]["intervals"]["fooled"] == pytest.approx([interval.low, interval.high], abs=1e-4)
    assert card["val"]["intervals"].keys() == {"fooled", "fooled turned", "fooled anywhere"}
    assert whole["val"]["sources"] == card["val"]["sources"][:1]
    assert str(labelled_photos) not in json.dumps(card)


def test_measures_on_a_seeded_draw(run, labelled_photos, monkeypatch):
    read = []
    crops = train_patch.centre_crops
    monkeypatch.setattr(
        train_patch,
        "centre_crops",
        lambda *given: (read.append(given[-1]), crops(*given))[1],
    )
    val = read_cards(run("egg", "--measure-limit", "2"))["egg"].everything["val"]
    assert [(row["of"], row["drawn"]) for row in val["sources"]] == [(4, 2)]
    run("egg", "--measure-limit", "2")
    run("other", "--measure-limit", "2", "--seed", "5")
    first, again, other = read
    assert first == again != other
    assert len({*first}) == len({*other}) == 2
    with pytest.raises(SystemExit):
        run("egg", "--measure-limit", "0")


def test_goes_on_where_it_was_stopped(run, monkeypatch):
    whole = read_patch_of(run("whole"), "whole")
    learn = Training.learn
    monkeypatch.setattr(Training, "learn", lambda self, x: learn(self, x) if self.step < 2 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("broken")
    monkeypatch.setattr(Training, "learn", learn)
    assert torch.equal(read_patch_of(run("broken"), "broken"), whole)
    assert not torch.equal(read_patch_of(run("other", "--seed", "1"), "other"), whole)


def read_patch_of(out, name):
    return read_patch(out / f"{name}.safetensors", read_cards(out)[name].sha256)


def test_refuses_the_checkpoint_of_another_recipe(run, tmp_path):
    run("egg")
    for other in (["--learning-rate", "0.3"], ["--start", "grey"], ["--target", "dog"]):
        with pytest.raises(ValueError, match="another recipe or classifier"):
            run("egg", *other)


def test_each_step_draws_new_crops(run, monkeypatch):
    seen = []
    learn = Training.learn
    monkeypatch.setattr(Training, "learn", lambda self, x: (seen.extend(x), learn(self, x))[1])
    run("egg")
    assert len(seen) == 15
    # Four files and 15 crops: all differ only if each crop is drawn anew, at every step.
    assert len({crop.numpy().tobytes() for crop in seen}) == 15


def test_learning_raises_the_target_and_leaves_the_model_alone(tiny_classifier):
    photos = torch.rand(6, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    tiny_classifier.head.weight.mul_(100)
    tiny_classifier.head.bias.sub_(tiny_classifier(photos).mean(0))
    kept = copy.deepcopy(tiny_classifier.state_dict())
    for target in tiny_classifier.labels:
        training = Training(Recipe(share=0.3, steps=30), target, tiny_classifier)
        chances = [training.learn(photos).probability for _ in range(8)]
        assert chances[-1] > chances[0], target
        assert 0 <= training.patch.min() <= training.patch.max() <= 1
    assert all(torch.equal(value, kept[key]) for key, value in tiny_classifier.state_dict().items())
    assert all(weight.grad is None for weight in tiny_classifier.parameters())


def test_an_adversarial_patch_is_learned_everywhere_and_from_a_picture(run, tiny_classifier, monkeypatch):
    seen = []
    stickers = Recipe.stickers
    monkeypatch.setattr(Recipe, "stickers", lambda self, *x: (seen.append(stickers(self, *x)), seen[-1])[1])
    out = run("egg", "--kind", "adversarial-patch", "--start", "chelsea", "--learning-rate", "0.01")
    card = read_cards(out)["egg"].everything
    assert card["kind"] == "adversarial-patch"
    assert card["recipe"]["rotation"] == RECIPES["adversarial-patch"].rotation > 0
    assert "the photo chelsea of scikit-image" in card["provenance"]
    rows, angles = (torch.cat([getattr(draw, name) for draw in seen]) for name in ("row", "angle"))
    assert len(rows.unique()) == len(angles.unique()) == 15
    # Five steps of at most 0.01 leave the picture what it is.
    change = read_patch_of(out, "egg") - resized(gallery_photo("chelsea").working(128)[0], 29)
    assert 0 < change.abs().max() < 0.05
