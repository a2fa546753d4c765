"""The gradient that an attack follows, averaged where the model answers at random."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def slope(x: Tensor, model: nn.Module, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """∂ loss / ∂x, (B, 3, H, W), the loss (B,) and all probabilities (B, labels), none with a graph.

    A model that answers at random says in its attribute ``draws`` how often it is asked: all three are then
    means over the answers (expectation over transformation). It is asked one answer after the other, so that
    only one graph is held.

    Args:
        x: photos (B, 3, H, W); left as they are.
        model: photos -> logits (B, labels).
        loss: logits (B, labels) -> (B,); that of one photo must not hang on the others.

    Source: Athalye et al. 2018, "Synthesizing Robust Adversarial Examples".
    """
    draws: int = getattr(model, "draws", 1)
    gradient, losses, probabilities = _answer(x, model, loss)
    if draws == 1:
        return gradient, losses, probabilities
    for _ in range(draws - 1):
        another = _answer(x, model, loss)
        gradient, losses, probabilities = (
            gradient + another[0],
            losses + another[1],
            probabilities + another[2],
        )
    return gradient / draws, losses / draws, probabilities / draws


def _answer(x: Tensor, model: nn.Module, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """``slope`` of one answer."""
    photos = x.detach().requires_grad_()
    logits = model(photos)
    losses = loss(logits)
    gradient = torch.autograd.grad(losses.sum(), photos)[0]
    return gradient, losses.detach(), logits.detach().softmax(1)
