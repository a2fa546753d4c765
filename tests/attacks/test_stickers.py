import pytest
import torch

from attacks.placement import Box, pasted
from attacks.stickers import Stickers, scattered, straight, stuck

BOX = Box(top=3, left=20, side=11)


@pytest.fixture
def patch():
    return torch.rand(1, 3, 11, 11, generator=torch.Generator().manual_seed(0))


def test_straight_at_its_own_side_is_pasting(photos, patch):
    attacked, mask = stuck(photos, patch, straight(BOX, len(photos)))
    torch.testing.assert_close(attacked, pasted(photos, BOX, patch[0]), rtol=0, atol=1e-5)
    assert torch.equal(mask, pasted(torch.zeros(3, 1, 44, 53), BOX, torch.ones(1, 11, 11)))
    assert torch.equal(attacked[mask.expand_as(photos) == 0], photos[mask.expand_as(photos) == 0])


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_counterclockwise(photos, patch, quarters):
    attacked, _ = stuck(photos, patch, straight(BOX, len(photos), angle=90 * quarters))
    turned = patch[0].rot90(quarters, (1, 2))
    torch.testing.assert_close(attacked, pasted(photos, BOX, turned), rtol=0, atol=1e-5)


def test_contrast_brightness_and_side(photos):
    grey = torch.full((1, 3, 11, 11), 0.7)
    one = straight(BOX, 3)
    every = torch.ones(3)
    lit = Stickers(one.row, one.column, 2 * one.side, one.angle, 1.5 * every, -0.1 * every)
    attacked, mask = stuck(photos, grey, lit)
    assert mask.sum((1, 2, 3)).tolist() == [19.5 * 22] * 3  # some of its 22 rows are above the photo
    assert (attacked[mask.expand_as(photos) == 1] - 0.7).abs().max() < 1e-6


def test_each_photo_is_by_itself(photos, patch):
    draws = scattered(BOX, 3, 44, torch.Generator().manual_seed(1), rotation=45, scale=1.5, light=0.3)
    together, masks = stuck(photos[..., :44], patch, draws)
    for number in range(3):
        own = Stickers(**{name: value[number : number + 1] for name, value in vars(draws).items()})
        alone, mask = stuck(photos[number : number + 1, ..., :44], patch, own)
        assert torch.equal(alone[0], together[number])
        assert torch.equal(mask[0], masks[number])


def test_draws_keep_their_promises():
    draws = scattered(BOX, 4000, 60, torch.Generator().manual_seed(0), rotation=30, scale=2, light=0.2)
    assert -30 <= draws.angle.min() < -28
    assert 28 < draws.angle.max() <= 30
    assert 5.5 <= draws.side.min() < 6
    assert 21 < draws.side.max() <= 22
    assert 0.8 <= draws.contrast.min() < 0.82 < 1.18 < draws.contrast.max() <= 1.2
    assert -0.1 <= draws.brightness.min() < -0.09 < 0.09 < draws.brightness.max() <= 0.1
    masks = stuck(torch.zeros(4000, 3, 60, 60), torch.ones(1, 3, 11, 11), draws)[1]
    # All of every sticker is on the photo.
    assert ((masks.sum((1, 2, 3)) - draws.side**2).abs() < 4 * draws.side).all()
    fixed = scattered(BOX, 5, 60, torch.Generator(), rotation=30, anywhere=False)
    assert torch.equal(fixed.row, straight(BOX, 5).row)
    assert torch.equal(fixed.column, straight(BOX, 5).column)
    assert torch.equal(fixed.side, straight(BOX, 5).side)


def test_the_patch_has_a_gradient(photos):
    patch = torch.full((1, 3, 11, 11), 0.5, requires_grad=True)
    attacked, mask = stuck(photos, patch, straight(BOX, 3, angle=20))
    attacked.sum().backward()
    # Each drawn pixel is a mean of the patch's: the weights of a channel add up to the pixels drawn.
    assert patch.grad.sum().item() == pytest.approx(3 * mask.sum().item(), rel=1e-4)
