"""The parts of the training whose results can be told beforehand; the training itself is no test."""

import pytest
import torch
import torch.nn.functional as F

from training.label_maps import label_maps
from training.labelled_photos import random_crop
from training.train_classifier import Recipe, mixed, read_maps, targets


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
    assert [recipe.side(epoch) for epoch in (80, 87, 88, 89)] == [128, 128, 160, 160]
    assert recipe.rate(0) == recipe.rate(recipe.epochs) == 0
    assert recipe.rate(16) == 1
    assert recipe.rate(32) > recipe.rate(48) > recipe.rate(72) > 0
    assert recipe.mixes(48) == recipe.mixes(85) == recipe.mixing > 0
    assert recipe.mixes(40) == recipe.mixes(77) == recipe.mixes(89.5) == 0
    assert recipe.listens(79.9) == 0
    assert recipe.listens(80) == recipe.opinion > 0


class TestTargets:
    def test_labels_alone(self):
        parts = torch.tensor([[0.0, 0, 1, 1]])
        found = targets(torch.tensor([2]), None, parts, 4, 0.1, 0.0)
        assert found.tolist() == [pytest.approx([0.025, 0.025, 0.925, 0.025])]

    def test_the_teacher_is_asked_about_the_part_that_is_seen(self):
        """Left half says 0, right half says 1."""
        maps = torch.full((3, 2, 6, 6), -8.0)
        maps[:, 0, :, :3] = maps[:, 1, :, 3:] = 8.0
        parts = torch.tensor([[0.0, 0.2, 0.4, 0.8], [0.6, 0.0, 1.0, 0.5], [0.0, 0.0, 1.0, 1.0]])
        found = targets(torch.zeros(3, dtype=torch.long), maps, parts, 2, 0.0, 1.0)
        assert found[:, 0].tolist() == pytest.approx([1, 0, 0.5], abs=1e-4)

    def test_both(self):
        maps = torch.zeros(1, 2, 6, 6)
        parts = torch.tensor([[0.0, 0, 1, 1]])
        found = targets(torch.tensor([1]), maps, parts, 2, 0.0, 0.6)
        assert found[0].tolist() == pytest.approx([0.3, 0.7])


def test_a_crop_tells_which_part_it_shows():
    """Colours are the places themselves, as shares of the sides."""
    across = torch.linspace(0, 250, 90).expand(60, 90)
    down = torch.linspace(0, 250, 60)[:, None].expand(60, 90)
    photo = torch.stack([across, down, across]).round().byte()
    for seed in range(20):
        crop, (left, top, right, bottom) = random_crop(photo, 32, torch.Generator().manual_seed(seed), 0.2)
        seen = crop.float() / 250
        assert seen[0].mean().item() == pytest.approx((left + right) / 2, abs=0.02)
        assert seen[1].mean().item() == pytest.approx((top + bottom) / 2, abs=0.02)
        assert (right - left) * (bottom - top) >= 0.15


def test_label_maps_are_made_without_the_photos_own_label():
    """Features that single out each photo would let a layer learn any label by heart."""
    truth = torch.randint(0, 4, (60,), generator=torch.Generator().manual_seed(0))
    own = torch.eye(60)[:, :, None, None].expand(60, 60, 2, 2) * 30
    _, right = label_maps(own, truth, 4)
    assert right < 0.5
    told = F.one_hot(truth, 4).float()[:, :, None, None].expand(60, 4, 2, 2) * 3
    maps, right = label_maps(told, truth, 4)
    assert right == 1
    assert maps.shape == (60, 4, 2, 2)


def test_missing_or_foreign_label_maps_are_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="label_maps, or give --opinion 0"):
        read_maps(tmp_path / "none.pt", 3)
    torch.save({"teacher": "T", "right": 1.0, "maps": torch.zeros(2, 4, 6, 6)}, tmp_path / "maps.pt")
    with pytest.raises(ValueError, match="belongs to 2 photos, not to these 3"):
        read_maps(tmp_path / "maps.pt", 3)
    assert read_maps(tmp_path / "maps.pt", 2)[1] == "T"
