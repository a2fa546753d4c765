"""The fast gradient sign method."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.base import Attack, Trail
from attacks.gradient_steps import climb, into_cube
from story import param


@dataclass(frozen=True)
class FGSM(Attack):
    """One step along the sign of the gradient: x' = clip(x ± ε · sign(∂ cross-entropy(x, y) / ∂x), 0, 1).

    Plus leaves the label y, minus reaches it.

    Source: Goodfellow et al. 2015, "Explaining and Harnessing Adversarial Examples"; towards a label:
    Kurakin et al. 2017, "Adversarial Machine Learning at Scale".
    """

    title = "FGSM"
    source = "Goodfellow et al. 2015"
    targeted = "either"
    goal_name = "goal"
    strength_name = "eps"

    eps: float = param(
        4 / 255,
        low=0,
        high=128 / 255,
        step=0.5 / 255,
        shown_as=255,
        unit="/255",
        help="the most by which a pixel may change, in each channel (ε)",
    )
    goal: str = param(
        "untargeted",
        choices=("untargeted", "targeted"),
        help="untargeted: leave the label that the photo has; targeted: reach a chosen one",
    )

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """One step of length ε from the photo."""
        return climb(
            x,
            y,
            model,
            trail,
            goal=self.aim,
            step=self.eps,
            steps=1,
            direction=torch.sign,
            project=into_cube(x, self.eps),
        )
