"""The Muon optimiser in the weights' own precision: libraries run it in bf16, which is slow on most CPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


def orthogonalised(update: Tensor, iterations: int = 5) -> Tensor:
    """The matrix (R, C) with all its singular values pulled towards 1, by a quintic Newton-Schulz iteration.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = update if update.shape[0] <= update.shape[1] else update.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(iterations):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide if update.shape[0] <= update.shape[1] else wide.T


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for convolutions (flattened to (out, in * kh * kw)).

    The update is scaled to the size of AdamW's, 0.2 * sqrt(max(R, C)) (Liu et al. 2025): they share a rate.
    """

    def __init__(
        self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One update of every weight that has a gradient; ``closure`` is not supported."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                momentum = state["momentum"] = state.get("momentum", torch.zeros_like(weight.grad))
                momentum.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(momentum, group["momentum"]).flatten(1)
                scale = 0.2 * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(orthogonalised(update).view_as(weight), alpha=-group["lr"] * scale)


def optimizers(
    network: nn.Module, lr: float, weight_decay: float, others_lr_share: float = 0.3
) -> list[torch.optim.Optimizer]:
    """Muon for the convolutions of ``network``, AdamW for everything else (norms, biases, linear layers)."""
    convolutions = {id(module.weight) for module in network.modules() if isinstance(module, nn.Conv2d)}
    others = [weight for weight in network.parameters() if id(weight) not in convolutions]
    matrices = [weight for weight in network.parameters() if id(weight) in convolutions]
    return [
        Muon(matrices, lr=lr, weight_decay=weight_decay),
        torch.optim.AdamW(others, lr=lr * others_lr_share, betas=(0.9, 0.95), weight_decay=0.0),
    ]
