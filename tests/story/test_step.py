"""What a step says of a map that has nothing in it."""

import pytest
import torch

from story import Step

NOTE, WHY = "Is the patch bright?", "no window is busy"
EMPTY = "Empty because no window is busy."


@pytest.mark.parametrize("kind", ["heat", "signed", "mask"])
def test_an_empty_map_says_why_and_only_of_the_photo_where_it_is(kind):
    maps = torch.zeros(2, 1, 3, 4)
    maps[1, 0, 2, 1] = 1
    step = Step("kept windows", maps, kind, NOTE, empty=WHY)
    assert (step.words(0), step.words(1)) == (EMPTY, NOTE)
    assert Step("kept windows", maps, kind, NOTE).words(0) == NOTE
    assert Step("below zero", -maps, "signed", NOTE, empty=WHY).words(1) == NOTE


def test_a_black_photo_is_no_empty_map():
    assert Step("photo", torch.zeros(1, 3, 3, 4), "photo", NOTE, empty=WHY).words() == NOTE
