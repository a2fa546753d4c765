"""The attacked photo under other draws of a random defense, against the defense asked seed by seed."""

import pytest

from attacks import ATTACKS
from defenses import DEFENSES
from evaluation.one_photo.other_draws import over_draws
from evaluation.one_photo.story import run_story

PGD = ATTACKS["pgd"](eps=16 / 255, step=4 / 255, iterations=4)
RANDOM = DEFENSES["pixel-deflection"](deflections=2000, map="none", denoiser="none", seed=9998)


@pytest.mark.parametrize("attack", [PGD, ATTACKS["lavan"](share=0.2, iterations=3)])
def test_counts_are_those_of_the_defense_itself(photos, tiny_classifier, attack):
    tiny_classifier.head.weight.mul_(50)
    story = run_story(photos[:1], tiny_classifier, attack, RANDOM)
    found = over_draws(story, tiny_classifier, 6)
    said = [
        int(tiny_classifier(RANDOM.redrawn(seed)(story.attacked.x, tiny_classifier)).argmax())
        for seed in (9999, 0, 1, 2, 3, 4)
    ]
    goal = [label == story.target for label in said]
    if attack is PGD:
        goal = [label != story.source for label in said]
    assert (found.count, found.fooled, found.rejected) == (6, sum(goal), 0)
    assert found.right == said.count(story.source)
    low, high = found.interval
    assert low <= found.fooled / 6 <= high


def test_nothing_where_nothing_is_drawn(photos, tiny_classifier):
    x = photos[:1]
    assert over_draws(run_story(x, tiny_classifier, PGD, DEFENSES["lgs"]()), tiny_classifier) is None
    assert over_draws(run_story(x, tiny_classifier, PGD, DEFENSES["slgs"]()), tiny_classifier) is None
    assert over_draws(run_story(x, tiny_classifier, None, RANDOM), tiny_classifier) is None
    assert over_draws(run_story(x, tiny_classifier, PGD), tiny_classifier) is None
