import pytest
import torch

from ops.straight_through import clipped, positive, straight_through


def test_values_of_the_hard_and_gradient_of_the_soft():
    soft = torch.tensor([0.3, -2.0, 1e8], requires_grad=True)
    hard = torch.tensor([1.0, 0.0, 0.1])
    result = straight_through(hard, 3 * soft)
    assert torch.equal(result, hard)
    assert torch.equal(torch.autograd.grad(result.sum(), soft)[0], torch.full((3,), 3.0))


def test_positive_is_0_or_1_with_the_identitys_gradient():
    maps = torch.tensor([-1.0, 0.0, 1e-9, 5.0], requires_grad=True)
    result = positive(maps)
    assert result.tolist() == [0, 0, 1, 1]
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert torch.equal(torch.autograd.grad((weights * result).sum(), maps)[0], weights)


def test_clipped_lets_the_gradient_of_black_and_white_pass():
    photos = torch.tensor([-0.5, 0.0, 0.4, 1.0, 1.5], requires_grad=True)
    result = clipped(photos)
    assert result.tolist() == pytest.approx([0, 0, 0.4, 1, 1])
    assert torch.equal(torch.autograd.grad(result.sum(), photos)[0], torch.ones(5))
