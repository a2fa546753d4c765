"""Random noise: the attack that knows nothing of the classifier, and the yardstick of the others."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from attacks.base import Attack, Trail, normals
from story import param


@dataclass(frozen=True)
class Noise(Attack):
    """x' = clip(x + σ · N(0, 1), 0, 1), a draw for each pixel and channel; the model is not asked.

    Source: the post "Dealing with Adversarial Inputs for Image Classification", which draws it at σ = 0.125,
    0.25 and 0.375.
    """

    title = "Random noise"
    source = "Gaussian noise"
    targeted = "none"
    seed_name = "seed"
    strength_name = "sigma"

    sigma: float = param(
        0.125, low=0, high=1, step=0.005, unit="of full range", help="standard deviation of the noise (σ)"
    )
    seed: int = param(
        0, low=0, high=2**31 - 1, step=1, help="number that fixes the random draws", advanced=True
    )

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """One draw."""
        del y, model, trail
        return (x + self.sigma * normals(x.shape, self.seed, x)).clamp(0, 1)
