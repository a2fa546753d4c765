"""One patch for many photos: the recipe, and the step that every training of a universal patch repeats."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from attacks.base import probability_of, uniforms
from attacks.lavan import likeliest_other, margin, step_up
from attacks.placement import Box, box_for, pasted
from classifiers.base import Classifier
from ops.placing import placed
from story import Parametrised, param


@dataclass(frozen=True)
class Recipe(Parametrised):
    """Everything but the target that shapes the patch; written into its card.

    ``anywhere`` and ``turn`` train for the expectation over places and angles.

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
    turn: float = param(
        0.0, low=0, high=180, step=5, unit="°", help="the most by which the patch is turned, either way"
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
    learning_rate: float = param(
        0.2,
        low=0.001,
        high=1,
        step=0.001,
        unit="of full range",
        help="change of a pixel in the first step; it falls evenly to nothing in the last",
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
        """Learning rate of a step: falls evenly to nothing."""
        return self.learning_rate * (1 - step / self.steps)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one step saw before it changed the patch.

    Attributes:
        step: number of finished steps, from 1.
        loss: minus the mean margin of the target over the likeliest other label, in logits.
        fooled: share of the batch that says the target.
        probability: mean probability of the target.
    """

    step: int
    loss: float
    fooled: float
    probability: float


class Training:
    """The patch (1, 3, side, side), its velocity and the number of finished steps: what a checkpoint holds.

    Raises:
        ValueError: the classifier has no such target.
    """

    def __init__(self, recipe: Recipe, target: str, model: Classifier) -> None:
        self.recipe = recipe
        self.model = model
        self.target = model.index(target)
        self.box = recipe.box(model.working_size)
        self.step = 0
        shape = (1, 3, self.box.side, self.box.side)
        self.patch = uniforms(shape, recipe.seed, model.mean).contiguous()
        self.velocity = torch.zeros_like(self.patch)

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {
            "recipe": asdict(self.recipe),
            "target": self.target,
            "classifier": self.model.identity,
            "step": self.step,
            "patch": self.patch,
            "velocity": self.velocity,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was written.

        Raises:
            ValueError: the checkpoint belongs to another recipe, target or classifier.
        """
        mine = self.state()
        if any(state.get(key) != mine[key] for key in ("recipe", "target", "classifier")):
            raise ValueError(
                "the checkpoint belongs to another recipe or classifier; give another --checkpoint"
            )
        self.step, self.patch, self.velocity = state["step"], state["patch"], state["velocity"]

    def learn(self, photos: Tensor) -> Lesson:
        """One step on photos (B, 3, S, S) in [0, 1], up the target's mean margin over the next label."""
        with torch.enable_grad():
            patch = self.patch.detach().requires_grad_()
            logits = self.model(self._on(photos, patch))
            target = torch.full((len(photos),), self.target, device=photos.device)
            gain = margin(logits, target, likeliest_other(logits.detach(), target)).mean()
            gradient = torch.autograd.grad(gain, patch)[0]
        rate = self.recipe.rate(self.step)
        self.patch, self.velocity = step_up(self.patch, gradient, self.velocity, rate, self.recipe.momentum)
        self.step += 1
        return Lesson(
            self.step,
            loss=-gain.item(),
            fooled=(logits.argmax(1) == target).float().mean().item(),
            probability=probability_of(target, logits.detach()).mean().item(),
        )

    def _on(self, photos: Tensor, patch: Tensor) -> Tensor:
        """``photos`` with ``patch`` where the recipe has it in this step."""
        recipe, side = self.recipe, self.box.side
        if not (recipe.anywhere or recipe.turn):
            return pasted(photos, self.box, patch)
        # A stream of its own for each step, so that a resumed training draws what an unbroken one draws.
        generator = torch.Generator().manual_seed(2**40 + 1_000_000 * recipe.seed + self.step)
        down, across, turned = torch.rand(3, len(photos), generator=generator).to(photos)
        room = photos.new_tensor([photos.shape[-2] - side, photos.shape[-1] - side])
        corners = photos.new_tensor([self.box.top, self.box.left]).expand(len(photos), 2)
        if recipe.anywhere:
            corners = torch.stack([down, across], 1) * room
        sides = photos.new_full((len(photos),), side)
        return placed(photos, patch, corners + side / 2, sides, (2 * turned - 1) * recipe.turn)[0]
