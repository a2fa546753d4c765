"""Stickers that mean no harm, looked at pixel by pixel."""

import torch

from attacks.placement import Box
from training.harmless import CELLS, STICKERS, chequered, lettered, shrunken, with_stickers

BOX = Box(top=2, left=20, side=18)


def photos():
    return torch.rand(3, 3, 40, 50, generator=torch.Generator().manual_seed(0))


def test_a_sticker_covers_its_box_and_nothing_else():
    x = photos()
    stuck = with_stickers(x, BOX, 1)
    assert list(stuck) == list(STICKERS)
    for kind, result in stuck.items():
        inside = torch.zeros(40, 50, dtype=torch.bool)
        inside[2:20, 20:38] = True
        assert torch.equal(result[..., ~inside], x[..., ~inside]), kind
        assert not torch.equal(result[..., inside], x[..., inside]), kind
        assert result.min() >= 0
        assert result.max() <= 1


def test_the_tag_is_a_chessboard():
    (board,) = chequered(photos(), 18)
    for row in range(18):
        for column in range(18):
            expected = (row // (18 // CELLS) + column // (18 // CELLS)) % 2
            assert board[:, row, column].tolist() == [expected] * 3


def test_the_label_is_print_on_white_fixed_by_its_seed():
    (label,) = lettered(photos(), 60, 3)
    assert torch.equal(label[0], label[1])
    assert (label == 1).float().mean() > 0.5
    # Three lines of print: ink in each third, none along the border between two.
    for third in range(3):
        assert (label[0, 20 * third : 20 * third + 20] < 0.5).any()
    assert torch.equal(lettered(photos(), 60, 3)[0], label)
    assert not torch.equal(lettered(photos(), 60, 4)[0], label)


def test_the_shrunken_photo_is_the_one_before():
    x = torch.stack([torch.full((3, 40, 50), value) for value in (0.1, 0.5, 0.9)])
    small = shrunken(x, 18)
    assert small.shape == (3, 3, 18, 18)
    torch.testing.assert_close(small.mean((1, 2, 3)), torch.tensor([0.9, 0.1, 0.5]))
