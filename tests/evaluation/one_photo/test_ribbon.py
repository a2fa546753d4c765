import pytest
import torch

from evaluation.one_photo.gradient_smoothing import halved_to_fit


def test_a_batch_that_does_not_fit_is_halved():
    sizes = []

    def picky(part):
        if len(part) > 3:
            raise torch.OutOfMemoryError
        sizes.append(len(part))
        return part * 2

    inputs = torch.arange(10.0)
    assert torch.equal(halved_to_fit(picky, inputs), inputs * 2)
    assert max(sizes) <= 3


def test_a_single_photo_that_does_not_fit_is_an_error():
    def never(_part):
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        halved_to_fit(never, torch.arange(4.0))
