"""The parts of the training whose results can be told beforehand; the training itself is no test."""

import pytest
import torch
import torch.nn.functional as F

from training.train_classifier import Recipe, mixed


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
