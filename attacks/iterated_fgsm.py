"""The fast gradient sign method in many small steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attacks.base import Trail
from attacks.fgsm import FGSM
from attacks.gradient_steps import climb, into_cube
from story import param


@dataclass(frozen=True)
class IteratedFGSM(FGSM):
    """FGSM's step, shorter and repeated; after each, clipped to the ε ball around the photo and to [0, 1].

    Source: Kurakin et al. 2017, "Adversarial examples in the physical world" (basic iterative method).
    """

    title = "Iterated FGSM"
    source = "Kurakin et al. 2017"
    iterative = True

    step: float = param(
        0.5 / 255,
        low=0,
        high=128 / 255,
        step=0.25 / 255,
        shown_as=255,
        unit="/255",
        help="change of a pixel in one step, in each channel",
    )
    iterations: int = param(20, low=1, high=1000, step=1, unit="steps", help="how often the step is taken")

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """From the photo itself."""
        return self.climb_from(x, x, y, model, trail)

    def climb_from(self, start: Tensor, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """From ``start``, inside the ball around ``x``."""
        return climb(
            start,
            y,
            model,
            trail,
            goal=self.aim,
            step=self.step,
            steps=self.iterations,
            direction=torch.sign,
            project=into_cube(x, self.eps),
        )
