"""What a defense is: parameters, and the steps from the photo to the smoothed photo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from classifiers.base import Classifier
from classifiers.device import now
from explain.prediction import logits
from story import Parametrised, Step, by_name
from story.param import Value

_TOGETHER = 64
"""Results that the classifier sees at once."""


@dataclass(frozen=True, eq=False)
class Decision:
    """What a defense says of photos, where that is more than the classifier's word on its result.

    Attributes:
        labels: (B,) number of the accepted label; -1 where the photo is rejected.
        votes: (B, V) numbers of the labels that were counted.
    """

    labels: Tensor
    votes: Tensor


@dataclass(frozen=True, eq=False)
class Outcome:
    """What comes of photos behind a defense.

    Attributes:
        steps: from the photo to the result.
        logits: (B, labels) of the classifier on the result.
        labels: (B,) number of the label that comes out; -1 where the defense rejects the photo.
        votes: (B, V) numbers of the labels that the defense counted; (B, 0) where it counts none.
        seconds: spent on the defense alone, without the classifier's word on its result.
    """

    steps: list[Step]
    logits: Tensor
    labels: Tensor
    votes: Tensor
    seconds: float

    @property
    def result(self) -> Tensor:
        """The defended photos, (B, 3, H, W) in [0, 1]."""
        return by_name(self.steps, "result").map

    @property
    def rejected(self) -> Tensor:
        """(B,) whether the defense accepts no label."""
        return self.labels < 0


class Defense(Parametrised, ABC):
    """A frozen dataclass whose fields are its parameters and whose ``steps`` are its story.

    ``gradient`` says what autograd sees of it: "exact", or where it is straight-through. ``paper`` holds what
    the source uses where the default is ours; None where the source's values are not known. ``against`` says
    which attacks it was made for: small changes all over the photo, or patches, which change a small place
    without limit. ``finds`` names the step whose pixels over 0 are where it holds the attack to be; "" where
    it does not look for a place. ``strength_name`` names the field that says how strongly it acts, a
    number at whose 0 the photo stays as it is; "" where there is none. ``keeps_black_and_white`` says whether
    a photo that is black or white all over comes out as it went in, to rounding.
    """

    gradient: ClassVar[str]
    against: ClassVar[Literal["small changes", "patches"]] = "small changes"
    finds: ClassVar[str] = ""
    strength_name: ClassVar[str] = ""
    keeps_black_and_white: ClassVar[bool] = True
    paper: ClassVar[Mapping[str, Value] | None] = {}

    def is_random(self, model: Classifier) -> bool:  # noqa: ARG002
        """Whether other draws may give another result in front of ``model``."""
        return bool(self.seed_name)

    def redrawn(self, seed: int) -> Self:
        """The same defense with other draws.

        Raises:
            ValueError: it has no seed, or none of that number.
        """
        if not self.seed_name:
            raise ValueError(f"{self.title} draws nothing at random, so it has no seed")
        return type(self)(**(self.values() | {self.seed_name: seed}))

    @abstractmethod
    def steps(self, x: Tensor, model: Classifier) -> list[Step]:
        """From ``photo`` to ``result``, for photos ``x`` (B, 3, H, W) in [0, 1]; every map is (B, C, H, W).

        A step after ``result`` only compares it with the photo.
        """

    def decision(self, steps: list[Step], model: Classifier) -> Decision | None:  # noqa: ARG002
        """What it decides itself, seen its ``steps``; None: the classifier's word on the result counts."""
        return None

    def __call__(self, x: Tensor, model: Classifier) -> Tensor:
        """The defended photos, (B, 3, H, W) in [0, 1]: the very map that the step ``result`` shows."""
        return by_name(self.steps(x, model), "result").map


def photo_step(x: Tensor) -> Step:
    """The first step of a story: the photos ``x`` (B, 3, H, W) in [0, 1] that the defense gets."""
    return Step(
        "photo", x, "photo", "The photo as the classifier gets it, perhaps with an attack in it.", "x"
    )


def difference_step(
    result: Tensor, x: Tensor, caption: str, of: str = "T(x)", empty: str = "nothing was changed"
) -> Step:
    """The last step of a story: the largest change of ``x`` in any channel, (B, 1, H, W).

    Args:
        result: the defended photos, (B, 3, H, W).
        x: the photos that the defense got.
        caption: what to look for.
        of: the result's name in the formulas.
        empty: why nothing was changed where that is so, half a sentence.
    """
    change = (result - x).abs().amax(1, keepdim=True)
    formula = rf"\max_c \left| {of} - x \right|"
    return Step("difference", change, "heat", caption, formula, own_scale=True, empty=empty)


def defend(defense: Defense, x: Tensor, model: Classifier) -> Outcome:
    """Photos ``x`` (B, 3, H, W) in [0, 1] through ``defense``, and what comes out of it."""
    applied = _applied(defense, x, model)
    return applied.judged(logits(applied.result, model))


def defend_each(defenses: Iterable[Defense], x: Tensor, model: Classifier) -> list[Outcome]:
    """Photos ``x`` (B, 3, H, W) through each of ``defenses``; the classifier is asked about all at once.

    Of its steps each outcome holds the result alone: all of them would fill the memory.
    """
    every = [_applied(defense, x, model).with_result_alone() for defense in defenses]
    if not every:
        return []
    together = torch.cat([one.result for one in every]).split(_TOGETHER)
    scores = torch.cat([logits(part, model) for part in together]).split(len(x))
    return [one.judged(said) for one, said in zip(every, scores, strict=True)]


@dataclass(frozen=True, eq=False)
class _Applied:
    """A defense that has worked, before the classifier has seen its result."""

    steps: list[Step]
    decision: Decision | None
    seconds: float

    @property
    def result(self) -> Tensor:
        return by_name(self.steps, "result").map

    def with_result_alone(self) -> _Applied:
        return replace(self, steps=[by_name(self.steps, "result")])

    def judged(self, scores: Tensor) -> Outcome:
        """With the classifier's logits (B, labels) on the result."""
        labels, votes = scores.argmax(1), torch.empty(len(scores), 0, dtype=torch.long, device=scores.device)
        if self.decision is not None:
            labels, votes = self.decision.labels, self.decision.votes
        return Outcome(self.steps, scores, labels, votes, self.seconds)


def _applied(defense: Defense, x: Tensor, model: Classifier) -> _Applied:
    began = now(model.device)
    steps = defense.steps(x, model)
    decision = defense.decision(steps, model)
    return _Applied(steps, decision, now(model.device) - began)


class Defended(nn.Module):
    """A defense in front of a classifier, which is what an adaptive attacker attacks."""

    def __init__(self, defense: Defense, model: Classifier) -> None:
        super().__init__()
        self.defense = defense
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, labels) logits of the defended photos."""
        return self.model(self.defense(x, self.model))
