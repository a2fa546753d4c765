"""Projected gradient descent, in an L∞ ball and in an L2 ball."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from attacks.base import Trail, normals, uniforms
from attacks.gradient_steps import climb, into_ball, into_cube, to_length_one
from attacks.iterated_fgsm import IteratedFGSM
from story import param


@dataclass(frozen=True)
class PGD(IteratedFGSM):
    """Iterated FGSM from a random place in the ε ball around the photo (L∞).

    Source: Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks".
    """

    title = "PGD (L∞)"
    source = "Madry et al. 2018"
    seed_name = "seed"

    random_start: bool = param(True, help="begin at a random place in the ball instead of at the photo")
    seed: int = param(
        0, low=0, high=2**31 - 1, step=1, help="number that fixes the random start", advanced=True
    )

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """From a random place, or from the photo itself."""
        return self.climb_from(self.start(x) if self.random_start else x, x, y, model, trail)

    def start(self, x: Tensor) -> Tensor:
        """A place drawn evenly from the ball, clipped to [0, 1]."""
        return into_cube(x, self.eps)(x + self.eps * (2 * uniforms(x.shape, self.seed, x) - 1))


@dataclass(frozen=True)
class PGDL2(PGD):
    """PGD in an L2 ball: ‖x' - x‖₂ <= ε over all pixels and channels of the photo in [0, 1].

    A step goes along the gradient over its own L2 norm. ε is for the photo as a whole: at ε = 1 all its
    pixels together may change as much as one pixel that goes from nothing to full in one channel.

    Source: Madry et al. 2018.
    """

    title = "PGD (L2)"

    eps: float = param(
        1.0,
        low=0,
        high=50,
        step=0.1,
        unit="L2 norm",
        help="the longest change of the whole photo (ε): root of the sum of squares, values from 0 to 1",
    )
    step: float = param(
        0.2, low=0, high=50, step=0.05, unit="L2 norm", help="length of the change in one step"
    )

    def start(self, x: Tensor) -> Tensor:
        """A place drawn evenly from the ball, clipped to [0, 1]: a random direction, and u^(1/n) · ε far."""
        direction = to_length_one(normals(x.shape, self.seed, x))
        far = self.eps * uniforms((len(x), 1, 1, 1), self.seed, x) ** (1 / x[0].numel())
        return into_ball(x, self.eps)(x + far * direction)

    def climb_from(self, start: Tensor, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """From ``start``, inside the L2 ball around ``x``."""
        return climb(
            start,
            y,
            model,
            trail,
            goal=self.aim,
            step=self.step,
            steps=self.iterations,
            direction=to_length_one,
            project=into_ball(x, self.eps),
        )
