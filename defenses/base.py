"""What a defense is: parameters, and the steps from the photo to the smoothed photo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from torch import Tensor, nn

from classifiers.base import Classifier
from story import Parametrised, Step, by_name
from story.param import Value


@dataclass(frozen=True, eq=False)
class Decision:
    """What a defense says of photos, where that is more than the classifier's word on its result.

    Attributes:
        labels: (B,) number of the accepted label; -1 where the photo is rejected.
        votes: (B, V) numbers of the labels that were counted.
    """

    labels: Tensor
    votes: Tensor


class Defense(Parametrised, ABC):
    """A frozen dataclass whose fields are its parameters and whose ``steps`` are its story.

    ``gradient`` says what autograd sees of it: "exact", or where it is straight-through. ``paper`` holds what
    the source uses where the default is ours; None where the source's values are not known. ``against`` says
    which attacks it was made for: small changes all over the photo, or patches, which change a small place
    without limit. ``finds`` names the step whose pixels over 0 are where it holds the attack to be; "" where
    it does not look for a place. ``keeps_black_and_white`` says whether a photo that is black or white all
    over comes out as it went in, to rounding.
    """

    gradient: ClassVar[str]
    against: ClassVar[Literal["small changes", "patches"]] = "small changes"
    finds: ClassVar[str] = ""
    keeps_black_and_white: ClassVar[bool] = True
    paper: ClassVar[Mapping[str, Value] | None] = {}

    def is_random(self, model: Classifier) -> bool:  # noqa: ARG002
        """Whether another ``seed`` may give another result in front of ``model``."""
        return "seed" in self.values()

    def redrawn(self, seed: int) -> Self:
        """The same defense with other draws.

        Raises:
            ValueError: it has no seed, or none of that number.
        """
        if "seed" not in self.values():
            raise ValueError(f"{self.title} draws nothing at random, so it has no seed")
        return type(self)(**(self.values() | {"seed": seed}))

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


def difference_step(result: Tensor, x: Tensor, caption: str, of: str = "T(x)") -> Step:
    """The last step of a story: the largest change of ``x`` in any channel, (B, 1, H, W).

    Args:
        result: the defended photos, (B, 3, H, W).
        x: the photos that the defense got.
        caption: what to look for.
        of: the result's name in the formulas.
    """
    change = (result - x).abs().amax(1, keepdim=True)
    return Step("difference", change, "heat", caption, rf"\max_c \left| {of} - x \right|", own_scale=True)


class Defended(nn.Module):
    """A defense in front of a classifier, which is what an adaptive attacker attacks."""

    def __init__(self, defense: Defense, model: Classifier) -> None:
        super().__init__()
        self.defense = defense
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, labels) logits of the defended photos."""
        return self.model(self.defense(x, self.model))
