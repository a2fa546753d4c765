import pytest
import torch

from attacks.placement import Box, box_for, pasted


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (1.0, 0.0, Box(top=10, left=350, side=40)),
        (0.0, 1.0, Box(top=350, left=10, side=40)),
        (0.5, 0.5, Box(top=180, left=180, side=40)),
        (0.25, 0.5, Box(top=180, left=80, side=40)),
    ],
)
def test_centre_and_margin(x, y, expected):
    assert box_for(400, 400, 0.01, x, y, 10 / 400) == expected


def test_no_margin_touches_the_border():
    assert box_for(400, 400, 0.01, 1.0, 0.0, 0.0) == Box(top=0, left=360, side=40)


@pytest.mark.parametrize("height", [1, 2, 7, 50, 301])
@pytest.mark.parametrize("width", [1, 3, 50, 200])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 1.0])
def test_always_inside_the_photo(height, width, share):
    for place in (0.0, 0.31, 0.5, 1.0):
        for margin in (0.0, 0.025, 0.25):
            box = box_for(height, width, share, place, place, margin)
            assert 1 <= box.side <= min(height, width)
            assert 0 <= box.top <= height - box.side
            assert 0 <= box.left <= width - box.side


def test_covers_the_share_of_the_area():
    for share in (0.01, 0.017, 0.022, 0.05, 0.1):
        assert box_for(192, 192, share, 1, 0, 0.025).side ** 2 / 192**2 == pytest.approx(share, rel=0.05)


def test_pasted_copies():
    x = torch.zeros(2, 3, 5, 6)
    patch = torch.rand(3, 2, 2)
    result = pasted(x, Box(top=1, left=4, side=2), patch)
    assert torch.equal(result[1, :, 1:3, 4:6], patch)
    assert result.count_nonzero() == 2 * patch.count_nonzero()
    assert not x.any()
