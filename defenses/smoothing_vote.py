"""Smoothing vote: the photo, the blurred photo and the twice blurred photo vote on the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses.base import Decision, Defense, difference_step
from explain import logits
from ops.blur import gaussian_blur
from story import Step, param

BLURRED = ("blurred once", "blurred twice", "result", "difference")
TIMES = ("", "once", "twice", "three times", "four times", "five times")


@dataclass(frozen=True)
class SmoothingVote(Defense):
    """A label that most of the pictures get is accepted; without one the photo is rejected.

    The pictures are the photo and the photo blurred once, twice, ... The result is the sharpest picture that
    got the accepted label; of a rejected photo it is the one blurred most.

    Source: the post "Dealing with Adversarial Inputs for Image Classification".
    """

    title: ClassVar[str] = "Smoothing vote"
    source: ClassVar[str] = "Dealing with Adversarial Inputs for Image Classification (blog post)"
    gradient: ClassVar[str] = (
        "exact through the blur; which picture is the result does not follow the gradient"
    )

    kernel: int = param(
        5, low=3, high=15, step=2, unit="px", help="side of the kernel; 7 is the other", moves=BLURRED
    )
    sigma: float = param(
        1.0, low=0.1, high=5, step=0.1, unit="px", help="standard deviation of the kernel", moves=BLURRED
    )
    rounds: int = param(
        2,
        low=1,
        high=5,
        step=1,
        unit="blurs",
        help="how often the photo is blurred; each adds a vote",
        moves=("result", "difference"),
    )
    rule: str = param(
        "majority",
        choices=("majority", "plurality"),
        help="accept what more than half say, or what more say than anything else",
        moves=("result", "difference"),
    )

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:
        """Photo, the blurred ones, result, difference."""
        pictures = [x]
        for _ in range(self.rounds):
            pictures.append(gaussian_blur(pictures[-1], self.kernel, self.sigma))
        decision = self._vote(pictures, model)
        # The first that voted for the label; of a rejected photo the last.
        sharpest = (decision.votes == decision.labels[:, None]).int().argmax(1)
        number = torch.where(decision.labels < 0, self.rounds, sharpest)
        result = torch.stack(pictures)[number, torch.arange(len(x), device=x.device)]
        blurred = [
            Step(
                f"blurred {TIMES[number]}",
                picture,
                "photo",
                "Noise goes faster than the object: does the classifier change its mind?",
                rf"x_{number} = G_\sigma * x_{{{number - 1}}}" if number > 1 else r"x_1 = G_\sigma * x",
            )
            for number, picture in enumerate(pictures[1:], 1)
        ]
        return [
            Step("photo", x, "photo", "The photo as the classifier gets it, with the first vote.", "x_0 = x"),
            *blurred,
            Step(
                "result",
                result,
                "photo",
                "The sharpest picture with the accepted label; of a rejected photo the one blurred most.",
                self._rule_formula(),
            ),
            difference_step(
                result,
                x,
                "What the blur took from the photo that has the accepted label.",
                empty="the photo itself has the accepted label",
            ),
        ]

    def _rule_formula(self) -> str:
        if self.rule == "plurality":
            return r"\hat{y} = \mathrm{mode}\, \{ f(x_0), f(x_1), \dots \}"
        return rf"\hat{{y}} = y, \quad | \{{ n : f(x_n) = y \}} | > \frac{{{self.rounds + 1}}}{{2}}"

    def count(self, votes: Tensor) -> Decision:
        """The outcome of ``votes`` (B, V), labels by number, the photo's own first."""
        agreeing = (votes[:, :, None] == votes[:, None, :]).sum(2)  # how many say what each says
        most = agreeing.amax(1, keepdim=True)
        winner = votes.gather(1, agreeing.argmax(1, keepdim=True))
        if self.rule == "majority":
            accepted = most > votes.shape[1] / 2
        else:
            # Whoever has most votes has them all: no other label has as many.
            accepted = ((agreeing == most) <= (votes == winner)).all(1, keepdim=True)
        return Decision(torch.where(accepted, winner, -1)[:, 0], votes)

    def decision(self, steps: list[Step], model: Classifier) -> Decision:
        """The vote on ``steps``."""
        pictures = [step.map for step in steps if step.name == "photo" or step.name.startswith("blurred")]
        return self._vote(pictures, model)

    def _vote(self, pictures: list[Tensor], model: Classifier) -> Decision:
        return self.count(torch.stack([logits(picture, model).argmax(1) for picture in pictures], 1))
