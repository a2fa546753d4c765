"""The gradient that an attack follows, averaged where the model answers at random."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from attacks.base import probability_of


def slope(
    x: Tensor, y: Tensor, model: nn.Module, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """∂ loss / ∂x, (B, 3, H, W), the loss (B,) and the probability of ``y`` (B,), none with a graph.

    A model that answers at random says in its attribute ``draws`` how often it is asked: all three are then
    means over the answers (expectation over transformation). It is asked one answer after the other, so that
    only one graph is held.

    Args:
        x: photos (B, 3, H, W); left as they are.
        y: (B,) labels.
        model: photos -> logits (B, labels).
        loss: logits (B, labels) -> (B,); that of one photo must not hang on the others.

    Source: Athalye et al. 2018, "Synthesizing Robust Adversarial Examples".
    """
    draws: int = getattr(model, "draws", 1)
    gradient, losses, probability = torch.zeros_like(x), x.new_zeros(len(x)), x.new_zeros(len(x))
    for _ in range(draws):
        photos = x.detach().requires_grad_()
        logits = model(photos)
        one = loss(logits)
        gradient = gradient + torch.autograd.grad(one.sum(), photos)[0]
        losses = losses + one.detach()
        probability = probability + probability_of(y, logits.detach())
    return gradient / draws, losses / draws, probability / draws
