"""Deflection against a plain sequential loop, and the draws that steer it."""

import numpy as np
import pytest
import torch
from scipy import stats

from ops.deflection import Deflections, deflect, draw, moved, outcome


def one_by_one(x, deflections):
    """The definition: copies in order, from the picture as it is by then."""
    out = x.numpy().copy()
    batch, channels, _, width = out.shape
    targets, sources = deflections.targets.numpy(), deflections.sources.numpy()
    for b in range(batch):
        for n in range(targets.shape[2]):
            for c in range(channels):
                r = c if targets.shape[1] > 1 else 0
                to, whence = targets[b, r, n], sources[b, r, n]
                out[b, c, to // width, to % width] = out[b, c, whence // width, whence % width]
    return out


@pytest.mark.parametrize("height, width", [(1, 1), (1, 9), (5, 1), (4, 6), (17, 23)])
@pytest.mark.parametrize("count", [0, 1, 7, 200])
@pytest.mark.parametrize("window", [1, 3, 30])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("by_map", [True, False])
def test_equal_to_a_plain_loop_bit_for_bit(height, width, count, window, rows, by_map):
    generator = torch.Generator().manual_seed(count + 7 * window)
    x = torch.rand(2, 3, height, width, generator=generator)
    kept = torch.rand(2, 1, height, width, generator=generator)
    copies = draw(kept, count, window, seeds=[3, 4], rows=rows, by_map=by_map)
    assert copies.targets.shape == copies.sources.shape == (2, rows, count)
    np.testing.assert_array_equal(deflect(x, copies).numpy(), one_by_one(x, copies))


def test_a_chain_carries_the_first_colour():
    x = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    # 1 takes 0's colour, 2 takes that, 0 changes afterwards, 3 takes what 2 has.
    copies = Deflections(torch.tensor([[[1, 2, 0, 3]]]), torch.tensor([[[0, 1, 3, 2]]]))
    assert deflect(x, copies)[0, 0, 0].tolist() == [3, 0, 0, 0]
    end = outcome(copies)
    assert end.targets[0, 0].tolist() == [0, 1, 2, 3]
    assert end.origins[0, 0].tolist() == [3, 0, 0, 0]
    assert end.last.all()


def test_the_gradient_is_that_of_the_loop():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    copies = draw(torch.zeros(2, 1, 5, 6), 60, 3, seeds=[0])
    weights = torch.rand(2, 3, 5, 6, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((deflect(x, copies) * weights).sum(), x)
    numbers = torch.arange(30.0).view(1, 1, 5, 6).expand(2, 3, 5, 6)
    whence = torch.tensor(one_by_one(numbers, copies)).long().flatten(2)
    expected = torch.zeros(2, 3, 30, dtype=torch.float64).scatter_add(2, whence, weights.flatten(2))
    torch.testing.assert_close(gradient.flatten(2), expected)


def test_alone_as_in_a_batch_and_by_seed():
    kept = torch.rand(3, 1, 12, 14, generator=torch.Generator().manual_seed(1))
    together = draw(kept, 50, 4, seeds=[5])
    for number in range(3):
        alone = draw(kept[number : number + 1], 50, 4, seeds=[5])
        assert torch.equal(alone.targets[0], together.targets[number])
        assert torch.equal(alone.sources[0], together.sources[number])
    assert not torch.equal(draw(kept, 50, 4, seeds=[6]).targets, together.targets)
    each = draw(kept, 50, 4, seeds=[6, 5, 7])
    assert torch.equal(each.targets[1], together.targets[1])


def test_more_copies_begin_with_the_same_ones():
    kept = torch.rand(1, 1, 12, 14, generator=torch.Generator().manual_seed(1))
    few, many = draw(kept, 20, 4, seeds=[0], rows=3), draw(kept, 90, 4, seeds=[0], rows=3)
    assert torch.equal(many.targets[..., :20], few.targets)
    assert torch.equal(many.sources[..., :20], few.sources)


def test_sources_lie_near_and_on_the_photo():
    copies = draw(torch.zeros(1, 1, 20, 30), 20_000, 4, seeds=[0], by_map=False)
    rows = copies.sources // 30 - copies.targets // 30
    columns = copies.sources % 30 - copies.targets % 30
    assert rows.abs().max() == columns.abs().max() == 4
    assert 0 <= copies.sources.min() <= copies.sources.max() < 600
    corner = copies.targets == 0
    places = (rows[corner] * 5 + columns[corner]).bincount(minlength=25)
    assert stats.chisquare(places.numpy()).pvalue > 1e-3
    inside = (copies.targets % 30 >= 4) & (copies.targets % 30 < 26)
    across = (columns[inside] + 4).bincount(minlength=9)  # both ends of the window as often as its middle
    assert stats.chisquare(across.numpy()).pvalue > 1e-3


def test_in_a_corner_each_place_of_the_window_that_is_on_the_photo_is_as_likely():
    copies = draw(torch.zeros(1, 1, 4, 5), 40_000, 2, seeds=[0], by_map=False)
    for corner, first in ((0, 0), (19, 7)):  # first: the number of the upper left pixel within reach
        sources = copies.sources[copies.targets == corner] - first
        places = (sources // 5 * 3 + sources % 5).bincount(minlength=9)
        assert len(places) == 9
        assert stats.chisquare(places.numpy()).pvalue > 1e-3


def test_pixels_are_drawn_as_often_as_the_map_leaves_them():
    kept = torch.tensor([0.0, 0.25, 0.5, 1.0]).view(1, 1, 2, 2)
    drawn = draw(kept, 40_000, 1, seeds=[0]).targets.flatten().bincount(minlength=4)
    assert drawn[3] == 0
    assert stats.chisquare(drawn[:3].numpy(), 40_000 * np.array([1, 0.75, 0.5]) / 2.25).pvalue > 1e-3


def test_without_a_map_every_pixel_is_as_likely():
    drawn = draw(torch.ones(1, 1, 4, 5), 40_000, 2, seeds=[0], by_map=False).targets.flatten()
    assert stats.chisquare(drawn.bincount(minlength=20).numpy()).pvalue > 1e-3


def test_a_map_of_ones_spares_everything():
    kept = torch.ones(2, 1, 6, 6)
    kept[1] = 0
    copies = draw(kept, 30, 2, seeds=[0])
    x = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(deflect(x, copies)[0], x[0])
    assert moved(copies, 6, 6)[0].sum() == 0
    assert moved(copies, 6, 6)[1].sum() > 0


def test_moved_is_where_the_colour_is_anothers():
    x = torch.arange(48.0).view(1, 1, 6, 8).expand(1, 3, 6, 8)
    for rows in (1, 3):
        copies = draw(torch.zeros(1, 1, 6, 8), 20, 3, seeds=[1], rows=rows)
        changed = (deflect(x, copies) != x).any(1, keepdim=True)
        assert torch.equal(moved(copies, 6, 8) > 0, changed)
