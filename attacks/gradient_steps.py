"""Steps along the loss's gradient that stay in a ball around the photo: what FGSM and its children share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.base import Goal, Trail
from attacks.slope import slope

Direction = Callable[[Tensor], Tensor]
Projection = Callable[[Tensor], Tensor]


def climb(
    start: Tensor,
    y: Tensor,
    model: nn.Module,
    trail: Trail,
    *,
    goal: Goal,
    step: float,
    steps: int,
    direction: Direction,
    project: Projection,
) -> Tensor:
    """``steps`` times x' = project(x' ± step · direction(∂ cross-entropy(x', y) / ∂x')).

    Plus leaves the label, minus reaches it. Photos don't influence each other: the gradient of the summed
    loss with respect to one photo is that of this photo's loss.

    Args:
        start: first iterate (B, 3, H, W).
        y: (B,) labels.
        model: photos -> logits.
        trail: is told each iteration.
        goal: decides on the sign.
        step: length of a step, in the unit of ``direction``.
        steps: how many.
        direction: gradient -> what a step of length 1 adds.
        project: nearest photo inside the ball and [0, 1].
    """
    length = step if goal == "untargeted" else -step
    cross_entropy = partial(F.cross_entropy, target=y, reduction="none")
    trail.total = steps
    iterate = start
    for _ in range(steps):
        gradient, loss, probabilities = slope(iterate, model, cross_entropy)
        trail.add(iterate, loss, probabilities.gather(1, y[:, None])[:, 0])
        iterate = project(torch.add(iterate, direction(gradient), alpha=length))
    return iterate


def into_cube(x: Tensor, eps: float) -> Projection:
    """Projection onto the L∞ ball of radius ``eps`` around ``x``, and onto [0, 1]."""
    low, high = (x - eps).clamp(min=0), (x + eps).clamp(max=1)
    return lambda iterate: torch.clamp(iterate, low, high)


def into_ball(x: Tensor, eps: float) -> Projection:
    """Projection onto the L2 ball of radius ``eps`` around ``x``, then onto [0, 1].

    The second never leads away from ``x``, which lies in [0, 1] itself, so both hold in the end.
    """

    def project(iterate: Tensor) -> Tensor:
        change = iterate - x
        return (x + change * (eps / lengths(change)).clamp(max=1)).clamp(0, 1)

    return project


def to_length_one(gradient: Tensor) -> Tensor:
    """``gradient`` (B, 3, H, W) over its own L2 norm, photo by photo; zero stays zero."""
    return gradient / lengths(gradient)


def lengths(change: Tensor) -> Tensor:
    """(B, 1, 1, 1) L2 norm over all pixels and channels, never quite zero so that one may divide by it."""
    return torch.linalg.vector_norm(change, dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
