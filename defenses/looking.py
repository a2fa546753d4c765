"""Asking the classifier where it looks: the fields and the step of every defense that does."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from classifiers.base import Classifier
from explain import LOSSES, SALIENCIES, formula, resolved_method, saliency
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


def saliency_step(x: Tensor, model: Classifier, *, method: str, top_k: int, loss: str, seed: int) -> Step:
    """M as a step; arguments as of ``explain.saliency``."""
    return Step(
        "saliency",
        saliency(x, model, method=method, top_k=top_k, loss=loss, seed=seed),
        "heat",
        "Bright where the classifier looks: on an attacked photo that should be the patch.",
        formula(method, model, top_k=top_k, loss=loss),
        own_scale=True,
    )


def looks_at_random(model: Classifier, method: str) -> bool:
    """Whether the saliency ``method`` draws at random in front of ``model``."""
    return SALIENCIES[resolved_method(method, model)].is_random
