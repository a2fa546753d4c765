"""What a comparison of two devices notices: each promise, broken on purpose."""

import math

import pytest
import torch

from bench.agreement import MOST_APART, SAME, Sides, Subject, check, mean_apart, share_apart
from bench.setting import photographs


@pytest.fixture
def sides(tiny_classifier) -> Sides:
    """The tiny classifier in both places; it is asked nothing."""
    both = {torch.float32: tiny_classifier, torch.float64: tiny_classifier}
    return Sides(both, both, torch.device("cpu"))


@pytest.fixture
def x() -> torch.Tensor:
    return photographs(2, 64).double()


def made(compute, x, sides, kind="any", *, moves=False) -> tuple[str, ...]:
    return check(Subject("a registry", "a name", compute, kind, moves), x, sides).broken


class Changing:
    """Gives something else with every call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x, model):
        self.calls += 1
        return x + self.calls


def spoiling(x, model):
    x[0, 0, 0, 0] += 1
    return x.clone()


def test_what_keeps_every_promise(x, sides):
    assert made(lambda x, model: x.flip(-1), x, sides, "photo") == ()
    assert made(lambda x, model: x.amax(1, keepdim=True), x, sides, "not negative", moves=True) == ()


@pytest.mark.parametrize(
    ("compute", "kind", "phrase"),
    [
        (lambda x, model: x + 0.5, "photo", "out of its range in float64"),
        (lambda x, model: x[:, :1], "photo", "out of its range in float32"),
        (lambda x, model: -x, "not negative", "out of its range in float64"),
        (lambda x, model: x / 0, "any", "not finite in float32"),
        (lambda x, model: x.float(), "any", "float32 in float64"),
        (lambda x, model: x + torch.rand(()), "any", "draws from the global generator"),
        (lambda x, model: x - x.mean(), "any", "another result alone than in a batch"),
    ],
)
def test_a_broken_promise_is_named(compute, kind, phrase, x, sides):
    assert phrase in made(compute, x, sides, kind)


def test_more_broken_promises(x, sides):
    assert "0 all over in float64" in made(lambda x, model: 0 * x, x, sides, moves=True)
    assert "not the same every time" in made(Changing(), x, sides)
    assert "its photos are changed" in made(spoiling, x.clone(), sides)
    assert any("apart from the CPU's" in phrase for phrase in made(Changing(), x, sides))


def test_how_far_apart():
    expected = torch.zeros(1000)
    expected[0] = 2
    near = expected.clone()
    near[5] = 2 * SAME  # as far as may be
    assert share_apart(near, expected) == 0
    near[5:8] = 3 * SAME
    assert share_apart(near, expected) == pytest.approx(3 / 1000)
    assert share_apart(near, expected) > MOST_APART
    assert share_apart(expected * math.nan, expected) == 1
    assert mean_apart(near, expected) == pytest.approx(3 * 3 * SAME / 1000 / 2)
    assert mean_apart(torch.zeros(3), torch.zeros(3)) == 0
