"""Asking the classifier where it looks: what the defenses that do so share."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from defenses.base import Defense
from explain import LOSSES, SALIENCIES, doubt, formula, resolved_method, saliency, saliency_name
from story import Step, param

saliency_field = partial(
    param,
    "auto",
    choices=("auto", *SALIENCIES),
    help="how to ask the classifier where it looks; auto: what finds patches best, gradient: the paper's",
)
top_k_field = partial(
    param,
    5,
    low=1,
    high=10,
    step=1,
    unit="labels",
    help="how many of the predicted labels the loss sums over",
)
loss_field = partial(
    param,
    "cross-entropy",
    choices=LOSSES,
    help="what the gradient is of: the cross-entropy of the top labels, or the score of the top label alone",
    advanced=True,
)
seed_field = partial(
    param,
    0,
    low=0,
    high=9999,
    step=1,
    help=f"draws the noise of {', '.join(name for name, method in SALIENCIES.items() if method.is_random)}",
    advanced=True,
)


_BRIGHT = "Bright where the classifier looks: on an attacked photo that should be the patch."


class Looking(Defense):
    """A defense that asks the classifier where it looks; its subclasses have the four fields.

    ``hopes`` says in one sentence what it hopes to see there.
    """

    seed_name: ClassVar[str] = "seed"
    hopes: ClassVar[str]

    saliency: str
    top_k: int
    loss: str
    seed: int

    def is_random(self, model: Classifier) -> bool:
        """Where its saliency draws."""
        return looks_at_random(model, self.saliency)

    def look(self, x: Tensor, model: Classifier, method: str | None = None) -> Tensor:
        """M, where ``model`` looks on photos ``x`` (B, 3, H, W): (B, 1, H, W), by ``method`` or its own."""
        return saliency(
            x, model, method=method or self.saliency, top_k=self.top_k, loss=self.loss, seed=self.seed
        )

    def saliency_step(self, x: Tensor, model: Classifier) -> Step:
        """M as a step."""
        name = resolved_method(self.saliency, model)
        method = SALIENCIES[name]
        if method.applies(model):
            note = doubt(saliency_name(name), model) or _BRIGHT
        else:
            note = f"{self.saliency} does not apply to this network: its class activation map stands in."
        return Step(
            "saliency",
            self.look(x, model),
            "heat",
            note,
            formula(self.saliency, model, top_k=self.top_k, loss=self.loss),
            own_scale=True,
            empty=method.empty,
        )


def looks_at_random(model: Classifier, method: str) -> bool:
    """Whether the saliency ``method`` draws at random in front of ``model``."""
    return SALIENCIES[resolved_method(method, model)].is_random
