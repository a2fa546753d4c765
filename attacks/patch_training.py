"""One patch for many photos: the recipe, and the step that every training of a universal patch repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attacks.base import probability_of, uniforms
from attacks.lavan import likeliest_other, margin, step_up
from attacks.placement import Box, box_for, pasted
from attacks.stickers import Stickers, scattered, stuck
from attacks.universal_patch import resized
from classifiers.base import Classifier
from story import Parametrised, param

OBJECTIVES = ("margin", "probability")
STEPPINGS = ("sign", "gradient")
SCHEDULES = ("even", "paper")


@dataclass(frozen=True)
class Recipe(Parametrised):
    """Everything but the target that shapes the patch; written into its card.

    ``anywhere``, ``rotation``, ``scale`` and ``light`` train for the expectation over what they change.

    Source: Karmon et al. 2018 (one patch for all photos); Brown et al. 2017, "Adversarial Patch".
    """

    title = "Universal patch"
    source = "Karmon et al. 2018; Brown et al. 2017"

    share: float = param(
        0.10, low=0.005, high=0.5, step=0.005, shown_as=100, unit="% of the area", help="size of the patch"
    )
    steps: int = param(150, low=1, high=2000, step=1, help="how often the patch is changed")
    batch: int = param(
        32, low=1, high=256, step=1, unit="photos", help="crops of photos that decide on one step"
    )
    anywhere: bool = param(
        False, help="on each photo the patch lies at another place; else always where x and y say"
    )
    rotation: float = param(
        0.0, low=0, high=180, step=2.5, unit="°", help="the most by which the patch is turned, either way"
    )
    scale: float = param(
        1.0, low=1, high=2, step=0.05, unit="×", help="the most by which its side is multiplied or divided"
    )
    light: float = param(
        0.0,
        low=0,
        high=0.5,
        step=0.05,
        help="the most by which its contrast changes, as a share; its brightness changes by half of it",
    )
    x: float = param(
        1.0, low=0, high=1, step=0.01, unit="of the width", help="centre from the left", advanced=True
    )
    y: float = param(
        0.0, low=0, high=1, step=0.01, unit="of the height", help="centre from the top", advanced=True
    )
    margin: float = param(
        10 / 400,
        low=0,
        high=0.25,
        step=0.005,
        unit="of the shorter side",
        help="strip along the border that stays free",
        advanced=True,
    )
    smallest_crop: float = param(
        0.5, low=0.05, high=1, step=0.05, unit="of the photo", help="smallest part shown", advanced=True
    )
    objective: str = param(
        "margin",
        choices=OBJECTIVES,
        help="what goes up: the target's margin over the next label (LaVAN), or the logarithm of its "
        "probability (Adversarial Patch)",
        advanced=True,
    )
    stepping: str = param(
        "sign",
        choices=STEPPINGS,
        help="a step along the gradient's sign, or along the gradient as both papers take it",
        advanced=True,
    )
    schedule: str = param(
        "even",
        choices=SCHEDULES,
        help="the rate falls evenly to nothing, or as in the papers to a tenth after 8 tenths of the steps "
        "and to a hundredth after 9",
        advanced=True,
    )
    learning_rate: float = param(
        0.2,
        low=0.001,
        high=1,
        step=0.001,
        unit="of full range",
        help="of the first step: the change of a pixel, or the factor of the gradient",
        advanced=True,
    )
    momentum: float = param(
        0.5, low=0, high=0.99, step=0.01, help="how much of its last direction a step keeps", advanced=True
    )
    seed: int = param(
        0, low=0, high=2**31 - 1, step=1, help="number that fixes all that is drawn", advanced=True
    )

    def box(self, side: int) -> Box:
        """Where the patch lies on photos of ``side`` x ``side`` px."""
        return box_for(side, side, self.share, self.x, self.y, self.margin)

    def rate(self, step: int) -> float:
        """Learning rate of a step, by the schedule."""
        share = step / self.steps
        if self.schedule == "even":
            return self.learning_rate * (1 - share)
        return self.learning_rate * (1.0 if share < 0.8 else 0.1 if share < 0.9 else 0.01)

    @property
    def moves(self) -> bool:
        """Whether the patch lies otherwise on each photo."""
        return self.anywhere or self.rotation > 0 or self.scale > 1 or self.light > 0

    def stickers(self, box: Box, count: int, size: int, generator: torch.Generator) -> Stickers:
        """How the patch lies on ``count`` photos of ``size`` px in one step."""
        lying = {name: getattr(self, name) for name in ("anywhere", "rotation", "scale", "light")}
        return scattered(box, count, size, generator, **lying)


RECIPES = {
    "lavan": Recipe(),
    "adversarial-patch": Recipe(
        share=0.05, anywhere=True, rotation=22.5, scale=1.25, light=0.2, steps=400, objective="probability"
    ),
}
"""Kind of patch -> how it is trained unless one says otherwise."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one step saw before it changed the patch.

    Attributes:
        step: number of finished steps, from 1.
        loss: minus the mean of the objective.
        fooled: share of the batch that says the target.
        probability: mean probability of the target.
    """

    step: int
    loss: float
    fooled: float
    probability: float


class Training:
    """The patch (1, 3, side, side), its velocity and the number of finished steps: what a checkpoint holds.

    Args:
        recipe: how it is trained.
        target: label that the patch is to make the classifier say.
        model: the classifier, which stays as it is.
        start: (3, S, S) in [0, 1], what the patch begins as; noise if not given.

    Raises:
        ValueError: the classifier has no such target.
    """

    def __init__(self, recipe: Recipe, target: str, model: Classifier, start: Tensor | None = None) -> None:
        self.recipe = recipe
        self.model = model
        self.target = model.index(target)
        self.box = recipe.box(model.working_size)
        self.step = 0
        if start is None:
            self.patch = uniforms((1, 3, self.box.side, self.box.side), recipe.seed, model.mean).contiguous()
        else:
            self.patch = resized(start, self.box.side)[None].to(model.mean)
        self.velocity = torch.zeros_like(self.patch)

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {"step": self.step, "patch": self.patch, "velocity": self.velocity}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken from a training like this one."""
        self.step, self.patch, self.velocity = state["step"], state["patch"], state["velocity"]

    def learn(self, photos: Tensor) -> Lesson:
        """One step on photos (B, 3, S, S) in [0, 1], up the mean of the recipe's objective."""
        recipe = self.recipe
        with torch.enable_grad():
            patch = self.patch.detach().requires_grad_()
            logits = self.model(self._on(photos, patch))
            target = torch.full((len(photos),), self.target, device=photos.device)
            if recipe.objective == "margin":
                gain = margin(logits, target, likeliest_other(logits.detach(), target)).mean()
            else:
                gain = -F.cross_entropy(logits, target)
            gradient = torch.autograd.grad(gain, patch)[0]
        climb = step_up if recipe.stepping == "sign" else plain_step_up
        rate = recipe.rate(self.step)
        self.patch, self.velocity = climb(self.patch, gradient, self.velocity, rate, recipe.momentum)
        self.step += 1
        return Lesson(
            self.step,
            loss=-gain.item(),
            fooled=(logits.argmax(1) == target).float().mean().item(),
            probability=probability_of(target, logits.detach()).mean().item(),
        )

    def _on(self, photos: Tensor, patch: Tensor) -> Tensor:
        """``photos`` with ``patch`` where the recipe has it in this step."""
        if not self.recipe.moves:
            return pasted(photos, self.box, patch)
        # A stream of its own for each step, so that a resumed training draws what an unbroken one draws.
        generator = torch.Generator().manual_seed(2**40 + 1_000_000 * self.recipe.seed + self.step)
        drawn = self.recipe.stickers(self.box, len(photos), photos.shape[-1], generator)
        return stuck(photos, patch, drawn)[0]


def plain_step_up(
    patch: Tensor, gradient: Tensor, velocity: Tensor, learning_rate: float, momentum: float
) -> tuple[Tensor, Tensor]:
    """As ``step_up``, but along the gradient as it is: stochastic gradient ascent, as both papers do it."""
    velocity = momentum * velocity + gradient
    return (patch + learning_rate * velocity).clamp(0, 1), velocity
