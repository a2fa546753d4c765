import pytest
import torch

from ops.random_crop import random_crop


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


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (7, 90)])
def test_a_photo_of_any_shape_gives_a_square(shape):
    photo = torch.full((3, *shape), 200, dtype=torch.uint8)
    crop, part = random_crop(photo, 8, torch.Generator().manual_seed(0), 0.1)
    assert crop.dtype == torch.uint8
    assert torch.equal(crop, torch.full((3, 8, 8), 200, dtype=torch.uint8))
    assert 0 <= part[0] < part[2] <= 1
    assert 0 <= part[1] < part[3] <= 1


def test_the_same_seed_draws_the_same_crop_and_half_are_mirrored():
    photo = torch.arange(64, dtype=torch.uint8).expand(3, 64, 64)  # brighter to the right
    mirrored = 0
    for seed in range(200):
        crop, part = random_crop(photo, 16, torch.Generator().manual_seed(seed), 0.3)
        again, same_part = random_crop(photo, 16, torch.Generator().manual_seed(seed), 0.3)
        assert torch.equal(crop, again)
        assert part == same_part
        mirrored += int(crop[0, 0, 0] > crop[0, 0, -1])
    assert 75 < mirrored < 125


def test_shares_shapes_and_mirrors_are_those_that_are_promised():
    """By the part that each crop names; a crop is mirrored where its columns fall from left to right."""
    photo = torch.linspace(0, 250, 200).round().byte().expand(3, 300, 200)
    shares, shapes, mirrored = [], [], 0
    for seed in range(300):
        crop, (left, top, right, bottom) = random_crop(photo, 16, torch.Generator().manual_seed(seed), 0.3)
        assert crop.shape == (3, 16, 16)
        assert crop.dtype == torch.uint8
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        shares.append((right - left) * (bottom - top))
        shapes.append((right - left) * 200 / ((bottom - top) * 300))
        mirrored += int(crop[0, 8, 0] > crop[0, 8, -1])
    assert 0.25 < min(shares) < 0.35
    assert max(shares) <= 1
    assert min(shapes) == pytest.approx(3 / 4, abs=0.03)
    assert max(shapes) == pytest.approx(4 / 3, abs=0.05)
    assert 0.4 < mirrored / 300 < 0.6
