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
