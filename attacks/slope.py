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
    gradient, losses, probability = _answer(x, y, model, loss)
    if draws == 1:
        return gradient, losses, probability
    for _ in range(draws - 1):
        another = _answer(x, y, model, loss)
        gradient, losses, probability = gradient + another[0], losses + another[1], probability + another[2]
    return gradient / draws, losses / draws, probability / draws


def _answer(
    x: Tensor, y: Tensor, model: nn.Module, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """``slope`` of one answer."""
    photos = x.detach().requires_grad_()
    logits = model(photos)
    losses = loss(logits)
    gradient = torch.autograd.grad(losses.sum(), photos)[0]
    return gradient, losses.detach(), probability_of(y, logits.detach())
