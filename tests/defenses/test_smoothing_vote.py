"""The vote against a count by hand."""

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from scipy import ndimage

from defenses import SmoothingVote
from ops.blur import gaussian_blur
from story import by_name
from tests.defenses.contrast import contrast_classifier
from tests.formulas import changes, formulas


def by_hand(votes, rule):
    ranked = Counter(votes).most_common()
    label, most = ranked[0]
    if rule == "majority":
        return label if most > len(votes) / 2 else -1
    return label if len(ranked) == 1 or ranked[1][1] < most else -1


@pytest.mark.parametrize("rule", ["majority", "plurality"])
@pytest.mark.parametrize("voters", [2, 3, 4, 5])
def test_every_vote_is_counted_as_by_hand(rule, voters):
    votes = list(product(range(4), repeat=voters))
    decision = SmoothingVote(rule=rule).count(torch.tensor(votes))
    assert decision.labels.tolist() == [by_hand(vote, rule) for vote in votes]
    assert decision.votes.tolist() == [list(vote) for vote in votes]


@pytest.fixture
def busy():
    """How busy noise is, before and after one and two blurs, and the noise."""
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    pictures = [x, gaussian_blur(x, 5, 1.0), gaussian_blur(gaussian_blur(x, 5, 1.0), 5, 1.0)]
    return [(p[..., 1:] - p[..., :-1]).abs().mean().item() for p in pictures], pictures


def test_the_result_is_the_sharpest_picture_with_the_label(busy):
    (sharp, once, twice), pictures = busy
    # The photo is noisy, both blurred ones are rough.
    model = contrast_classifier(low=twice / 2, high=(sharp + once) / 2)
    steps = SmoothingVote().steps(pictures[0], model)
    decision = SmoothingVote().decision(steps, model)
    assert decision.votes.tolist() == [[2, 1, 1]]
    assert decision.labels.tolist() == [1]
    assert torch.equal(by_name(steps, "result").map, by_name(steps, "blurred once").map)
    torch.testing.assert_close(by_name(steps, "blurred twice").map, pictures[2])


def test_three_opinions_are_a_rejection(busy):
    (sharp, once, twice), pictures = busy
    model = contrast_classifier(low=(once + twice) / 2, high=(sharp + once) / 2)
    steps = SmoothingVote().steps(pictures[0], model)
    decision = SmoothingVote().decision(steps, model)
    assert decision.votes.tolist() == [[2, 1, 0]]
    assert decision.labels.tolist() == [-1]
    assert torch.equal(by_name(steps, "result").map, by_name(steps, "blurred twice").map)


def test_a_photo_that_convinces_is_left_alone(busy):
    (sharp, *_), pictures = busy
    model = contrast_classifier(low=2 * sharp, high=3 * sharp)
    assert torch.equal(SmoothingVote()(pictures[0], model), pictures[0])


@pytest.mark.parametrize("rounds", [1, 3, 5])
def test_more_rounds_more_votes(busy, rounds):
    (sharp, *_), pictures = busy
    model = contrast_classifier(low=2 * sharp, high=3 * sharp)
    steps = SmoothingVote(rounds=rounds).steps(pictures[0], model)
    assert sum(step.name.startswith("blurred") for step in steps) == rounds
    assert SmoothingVote(rounds=rounds).decision(steps, model).votes.shape == (1, rounds + 1)


MODE = r"\hat{y} = \mathrm{mode}\, \{ f(x_0), f(x_1), \dots \}"


def more_than_half(pictures):
    return rf"\hat{{y}} = y, \quad | \{{ n : f(x_n) = y \}} | > \frac{{{pictures}}}{{2}}"


def test_steps_and_their_formulas(photos, tiny_classifier):
    assert formulas(SmoothingVote(), photos, tiny_classifier) == {
        "photo": "x_0 = x",
        "blurred once": r"x_1 = G_\sigma * x",
        "blurred twice": r"x_2 = G_\sigma * x_{1}",
        "result": more_than_half(3),
        "difference": r"\max_c \left| T(x) - x \right|",
    }
    assert changes(SmoothingVote, photos[:1], tiny_classifier) == {
        ("rule", "plurality"): {"result": MODE},
        ("rounds", 1): {"blurred twice": None, "result": more_than_half(2)},
        ("rounds", 5): {
            "blurred three times": r"x_3 = G_\sigma * x_{2}",
            "blurred four times": r"x_4 = G_\sigma * x_{3}",
            "blurred five times": r"x_5 = G_\sigma * x_{4}",
            "result": more_than_half(6),
        },
    }


def test_each_picture_is_the_one_before_blurred(photos, tiny_classifier):
    """What the formulas of the blurred pictures say, by SciPy: a kernel of 5 px ends at 2 sigma."""
    steps = SmoothingVote(rounds=5, kernel=5, sigma=1.0).steps(photos.double(), tiny_classifier.double())
    pictures = [step.map.numpy() for step in steps if step.name == "photo" or step.name.startswith("blurred")]
    assert len(pictures) == 6
    for before, after in pairwise(pictures):
        expected = ndimage.gaussian_filter(before, (0, 0, 1, 1), mode="mirror", truncate=2)
        np.testing.assert_allclose(after, expected, atol=1e-12)
