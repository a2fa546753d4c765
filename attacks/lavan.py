"""LaVAN: a small patch, anywhere on the photo, that outvotes everything else in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from attacks.base import Trail, uniforms
from attacks.placement import Box, PatchAttack, pasted
from attacks.slope import slope
from story import param


@dataclass(frozen=True)
class LaVAN(PatchAttack):
    """x' = (1 - m) ⊙ x + m ⊙ δ, where δ in [0, 1] maximises a margin of the logits z = z(x').

    * ``goal`` "targeted", to reach the label y: z_y - z_s. The source s is the label that the model holds
      likeliest on the clean photo, the target aside. A photo is done at the first iterate on which the
      probability of y is at least ``stop_at``.
    * "untargeted", to leave the label y: log Σ exp(z_j) over all j ≠ y, minus z_y, which is the logarithm of
      the odds against y. A photo is done at the first iterate on which the probability of the likeliest other
      label is at least ``stop_at``.

    A photo that is done is left as it is.

    Source: Karmon et al. 2018, "LaVAN: Localized and Visible Adversarial Noise"; enhanced LGS paper, §2.1.
    Both are targeted. The untargeted margin is the one that Carlini and Wagner 2017 ("Towards Evaluating the
    Robustness of Neural Networks", f6) use, with all other labels in place of the likeliest: where two
    labels rise together, the margin between them says nothing of the probability of the one to leave.

    Deviation: the papers step along the gradient as it is, at rates of 1, 0.1 and 0.01 tuned to one network.
    ``step_up`` goes by its sign, under momentum, at a rate that falls evenly to nothing: in units of a
    pixel's range, so that it fits every network and photo. In trials on a small network it fooled more
    photos, and in fewer steps, than the plain gradient, Adam, or a rate that stays.
    """

    title = "LaVAN patch"
    source = "Karmon et al. 2018"
    targeted = "either"
    goal_name = "goal"
    iterative = True
    seed_name = "seed"

    share: float = param(
        0.10, low=0.001, high=0.5, step=0.001, shown_as=100, unit="% of the area", help="size of the patch"
    )
    goal: str = param(
        "targeted",
        choices=("untargeted", "targeted"),
        help="untargeted: leave the label that the photo has; targeted: reach a chosen one",
    )
    start: str = param(
        "noise",
        choices=("noise", "grey", "photo"),
        help="what the patch begins with: noise, plain grey, or the photo's own pixels",
    )
    iterations: int = param(100, low=1, high=2000, step=1, unit="steps", help="the most steps that are taken")
    stop_at: float = param(
        0.9,
        low=0,
        high=1,
        step=0.01,
        unit="probability",
        help="the attack stops once the target has it; if untargeted, once any other label has it",
    )
    learning_rate: float = param(
        0.2,
        low=0.001,
        high=1,
        step=0.001,
        unit="of full range",
        help="change of a pixel in the first step; it falls evenly to nothing in the last",
    )
    momentum: float = param(
        0.5, low=0, high=0.99, step=0.01, help="how much of its last direction a step keeps", advanced=True
    )
    seed: int = param(
        0, low=0, high=2**31 - 1, step=1, help="number that fixes the noise at the start", advanced=True
    )

    @property
    def covers(self) -> float:
        """The field ``share``."""
        return self.share

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """Steps on the photos that are not done, until none is left."""
        box = self.box(x.shape[2], x.shape[3])
        source = None
        if self.aim == "targeted":
            with torch.no_grad():
                source = likeliest_other(model(x), y)
        attacked = pasted(x, box, self._first_patch(x, box))
        velocity = torch.zeros_like(box.of(attacked))
        loss, probability = x.new_zeros(2, len(x))
        numbers = torch.arange(len(x), device=x.device)
        # The photos that are not done, all of them at first and no copies; one that is costs no further pass.
        left: Tensor | slice = slice(None)
        trail.total = self.iterations
        for number in range(self.iterations):
            gain = partial(odds_against, label=y[left])
            if source is not None:
                gain = partial(margin, target=y[left], source=source[left])
            change, gained, probabilities = slope(attacked[left], model, gain)
            loss, probability = loss.clone(), probability.clone()
            loss[left] = gained if source is None else -gained
            probability[left] = probabilities.gather(1, y[left, None])[:, 0]
            trail.add(attacked, loss, probability)
            gradient = box.of(change)
            reached = probability[left] if source is not None else others(probabilities, y[left]).amax(1)
            unfinished = reached < self.stop_at
            if not bool(unfinished.any()):
                break
            if not bool(unfinished.all()):
                left, gradient = numbers[left][unfinished], gradient[unfinished]
            box.of(attacked)[left], velocity[left] = step_up(
                box.of(attacked)[left],
                gradient,
                velocity[left],
                self.learning_rate * (1 - number / self.iterations),
                self.momentum,
            )
        return attacked

    def _first_patch(self, x: Tensor, box: Box) -> Tensor:
        """δ before the first step: (B, 3, side, side)."""
        patch = box.of(x)
        if self.start == "photo":
            return patch
        return torch.full_like(patch, 0.5) if self.start == "grey" else uniforms(patch.shape, self.seed, x)


def likeliest_other(logits: Tensor, y: Tensor) -> Tensor:
    """(B,) the label with the highest of ``logits`` (B, labels) that is not ``y`` (B,)."""
    return others(logits, y).argmax(1)


def others(scores: Tensor, y: Tensor) -> Tensor:
    """``scores`` (B, labels) of all labels but ``y`` (B,), which has the lowest number there is."""
    return scores.scatter(1, y[:, None], torch.finfo(scores.dtype).min)


def margin(logits: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """(B,) logit of ``target`` (B,) minus logit of ``source`` (B,)."""
    reached, left = logits.gather(1, torch.stack([target, source], 1)).unbind(1)
    return reached - left


def odds_against(logits: Tensor, label: Tensor) -> Tensor:
    """(B,) logarithm of (1 - p) / p, where p is the probability of ``label`` (B,)."""
    return others(logits, label).logsumexp(1) - logits.gather(1, label[:, None])[:, 0]


def step_up(
    patch: Tensor, gradient: Tensor, velocity: Tensor, learning_rate: float, momentum: float
) -> tuple[Tensor, Tensor]:
    """The next patch in [0, 1] and the next velocity, all (B, 3, side, side).

    v' = momentum · v + g / mean|g|; δ' = clip(δ + learning_rate · sign(v'), 0, 1).

    Source: Dong et al. 2018, "Boosting Adversarial Attacks with Momentum", equations 6 and 7.
    """
    size = gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
    velocity = torch.addcdiv(momentum * velocity, gradient, size)
    return torch.add(patch, velocity.sign(), alpha=learning_rate).clamp(0, 1), velocity
