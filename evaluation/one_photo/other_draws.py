"""A random defense drawn many times: how often an attacked photo fools it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from attacks.base import succeeded
from classifiers.base import Classifier
from defenses import Defense, defend_each
from evaluation.measures.intervals import wilson
from evaluation.one_photo.story import Story
from explain import Memo, remembering

TRIALS = 20
"""Draws that a door asks for where nobody says how many."""
_MEMO_BYTES = 48_000_000


@dataclass(frozen=True)
class OverDraws:
    """What became of one photo, counted over the draws of a defense.

    Attributes:
        count: how many draws.
        fooled: the attack reached its goal behind the defense.
        right: the clean photo's label came out.
        rejected: no label did.
    """

    count: int
    fooled: int
    right: int
    rejected: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the attack's success."""
        return wilson(self.fooled, self.count)


def over_draws(story: Story, model: Classifier, count: int = TRIALS) -> OverDraws | None:
    """The attacked photo of ``story`` through its defense with ``count`` other seeds.

    They follow the defense's own. None without an attack or a defense, or where nothing is drawn at random.
    """
    if story.attack is None or story.attacked is None or story.defense is None:
        return None
    if not story.defense.is_random(model):
        return None
    targeted = story.attack.aim == "targeted" and story.target is not None
    y = torch.tensor([story.target if targeted else story.source], device=model.device)
    redrawn = [_redrawn(story.defense, number + 1) for number in range(count)]
    with torch.no_grad(), remembering(Memo(_MEMO_BYTES)):  # the map is the same for all draws
        outcomes = defend_each(redrawn, story.attacked.x, model)
    accepted = [outcome for outcome in outcomes if not outcome.rejected[0]]
    return OverDraws(
        count=count,
        fooled=sum(bool(succeeded(outcome.logits, y, story.attack.aim)) for outcome in accepted),
        right=sum(int(outcome.labels) == story.source for outcome in accepted),
        rejected=count - len(accepted),
    )


def _redrawn(defense: Defense, number: int) -> Defense:
    """``number`` seeds further on, from the last back to the first."""
    seed = defense.parameter(defense.seed_name)
    assert seed.low is not None and seed.high is not None
    low, many = int(seed.low), int(seed.high - seed.low) + 1
    return defense.redrawn(low + (defense.random_seed - low + number) % many)
