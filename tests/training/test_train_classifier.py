"""The parts of the training whose results can be told beforehand; the training itself is no test."""

import json
from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F

from training import train_classifier
from training.checkpoint import Checkpoint
from training.train_classifier import RECIPES, Recipe, Training, mixed, targets, train


@pytest.fixture
def numbered() -> torch.Tensor:
    """Photos of one number each, (8, 3, 40, 40)."""
    return torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 40, 40)


@pytest.mark.parametrize("seed", range(12))
def test_the_area_of_the_other_photo_is_told(numbered, seed):
    photos, other, area = mixed(numbered, torch.Generator().manual_seed(seed))
    photos = photos.round()  # shrunk numbers have dust on them
    assert sorted(other.tolist()) == list(range(8))
    for number in range(8):
        strange = photos[number] != number
        assert (photos[number][strange] == other[number]).all()
        if other[number] != number:
            assert strange.float().mean().item() == pytest.approx(area)
    assert 0.09 <= area <= 0.65
    assert (numbered == torch.arange(8.0).view(8, 1, 1, 1)).all()


def test_the_box_shows_the_other_photo_cut_or_in_small():
    x = torch.rand(8, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    ways = set()
    for seed in range(12):
        photos, other, area = mixed(x, torch.Generator().manual_seed(seed))
        number = int((other != torch.arange(8)).nonzero()[0])
        changed = (photos[number] != x[number]).any(0)
        rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
        box = photos[number][:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        source = x[other[number]]
        cut = source[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        small = F.interpolate(source[None], box.shape[-2:], mode="bilinear", antialias=True)[0]
        ways.add("cut" if torch.equal(box, cut) else "small")
        assert torch.equal(box, cut) or torch.allclose(box, small, atol=1e-5)
        assert box.shape[-1] ** 2 / 1600 == pytest.approx(area)
    assert ways == {"cut", "small"}


def test_the_schedule():
    recipe = Recipe()
    assert [recipe.side(epoch) for epoch in (0, 36, 71, 72, 79)] == [64, 128, 128, 160, 160]
    sides = [recipe.side(epoch) for epoch in range(recipe.epochs)]
    assert sides == sorted(sides)
    assert recipe.rate(0) == recipe.rate(1) == 0
    assert recipe.rate(0.2) == 1
    assert recipe.rate(0.4) > recipe.rate(0.6) > recipe.rate(0.9) > 0
    assert recipe.mixes(0.6) == recipe.mixing > 0
    assert recipe.mixes(0.5) == recipe.mixes(0.96) == 0
    vgg = RECIPES["vgg"]
    turning_points = (0, 14, 15, 37, 38, 47, 48, 49)
    assert [vgg.side(epoch) for epoch in turning_points] == [64, 64, 96, 96, 128, 128, 160, 160]


class TestTargets:
    recipe = Recipe(label_smoothing=0.1, opinion=0.6)

    def test_labels_alone(self):
        wanted = targets(torch.tensor([2]), None, 4, self.recipe)
        assert wanted.tolist() == [pytest.approx([0.025, 0.025, 0.925, 0.025])]

    def test_the_teacher_speaks_too(self):
        taught = torch.tensor([[0.5, 0.5, 0, 0]])
        wanted = targets(torch.tensor([2]), taught, 4, self.recipe)
        assert wanted.tolist() == [pytest.approx([0.31, 0.31, 0.37, 0.01])]


SMALL = Recipe(
    epochs=2, batch=4, sides=(32.0,) * 5, architecture="vgg", widths=(4, 6), depths=(1, 1), hidden=8
)


@pytest.fixture
def pictures():
    """Ten photos (3, 40, 50) uint8."""
    generator = torch.Generator().manual_seed(0)
    return list(torch.randint(256, (10, 3, 40, 50), generator=generator, dtype=torch.uint8))


def learned(file, pictures, *, until=None, maps=None, recipe=SMALL):
    """The weights, averaged and not, of a training that is stopped before step ``until``, if at all."""
    training = Training(recipe, 3, torch.device("cpu"))
    checkpoint = Checkpoint(file, {"recipe": asdict(recipe)})
    checkpoint.resume(training)
    step = training.step
    if until is not None:
        training.step = lambda *x: step(*x) if training.steps < until else 1 / 0
    train(training, pictures, torch.arange(10) % 3, maps, checkpoint)
    return training.state()


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


class TestTrain:
    def test_goes_on_as_if_it_had_not_been_stopped(self, tmp_path, pictures, monkeypatch, capsys):
        whole = learned(tmp_path / "whole.pt", pictures)
        log = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(line["epoch"], line["side"]) for line in log] == [(1, 32), (2, 32)]
        monkeypatch.setattr(train_classifier, "SAVE", 0.0)
        broken = tmp_path / "broken.pt"
        with pytest.raises(ZeroDivisionError):
            learned(broken, pictures, until=3)
        resumed = learned(broken, pictures)
        assert resumed["steps"] == whole["steps"] == 4
        assert same(resumed["network"], whole["network"])
        assert same(resumed["average"], whole["average"])
        resumed_log = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["loss"] for line in resumed_log] == [line["loss"] for line in log]

    def test_a_teacher_changes_what_is_learned(self, tmp_path, pictures):
        alone = learned(tmp_path / "alone.pt", pictures)
        maps = torch.zeros(10, 3, 2, 2).half()
        maps[:, 1] = 8
        taught = learned(tmp_path / "taught.pt", pictures, maps=maps)
        assert not same(alone["network"], taught["network"])

    def test_refuses_the_checkpoint_of_another_recipe(self, tmp_path, pictures):
        learned(tmp_path / "one.pt", pictures)
        with pytest.raises(ValueError, match="another recipe"):
            learned(tmp_path / "one.pt", pictures, recipe=replace(SMALL, seed=1))
