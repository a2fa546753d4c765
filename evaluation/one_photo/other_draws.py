"""A random defense drawn many times: how often an attacked photo fools it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.base import succeeded
from classifiers.base import Classifier
from defenses.base import Defense
from evaluation.measures.intervals import wilson
from evaluation.one_photo.story import Story
from explain import Memo, remembering
from story import by_name

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
    fooled = right = rejected = 0
    with torch.no_grad(), remembering(Memo(_MEMO_BYTES)):  # the map is the same for all draws
        for number in range(count):
            logits, refused = _asked(_redrawn(story.defense, number + 1), story.attacked.x, model)
            rejected += refused
            fooled += not refused and bool(succeeded(logits, y, story.attack.aim))
            right += not refused and int(logits.argmax()) == story.source
    return OverDraws(count, fooled, right, rejected)


def _redrawn(defense: Defense, number: int) -> Defense:
    """``number`` seeds further on, from the last back to the first."""
    seed = defense.parameter(defense.seed_name)
    assert seed.low is not None and seed.high is not None
    low, many = int(seed.low), int(seed.high - seed.low) + 1
    return defense.redrawn(low + (defense.random_seed - low + number) % many)


def _asked(defense: Defense, x: Tensor, model: Classifier) -> tuple[Tensor, bool]:
    """Logits (1, labels) of the defended photo, and whether it is rejected."""
    steps = defense.steps(x, model)
    decision = defense.decision(steps, model)
    return model(by_name(steps, "result").map), decision is not None and int(decision.labels[0]) < 0
