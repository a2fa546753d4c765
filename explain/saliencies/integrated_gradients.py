"""Integrated Gradients: what each pixel adds to a loss on the way from black to the photo."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from classifiers.base import Classifier
from explain.prediction import logits
from explain.saliencies.base import Loss, Saliency, strongest, wants_gradient

PATH_STEPS = 16
"""Gauss-Legendre nodes between black and the photo."""
PATH_BATCH = 8
"""How many photos of the path pass through the classifier together (never fewer than the batch has)."""


class IntegratedGradients(Saliency):
    """The absolute attribution of L on the way from black to x, by captum.

    Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks".
    """

    def formula(self, model: Classifier) -> str:  # noqa: ARG002
        """The path's integral, then the largest in any channel."""
        return r"\max_c \left| x \odot \int_0^1 \nabla_x L(\alpha x)\, d\alpha \right|"

    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:  # noqa: ARG002
        """The labels are those of the photo itself, all along the path."""
        # Imported here because it takes more than a second, which only this method needs.
        from captum.attr import IntegratedGradients as PathIntegral

        labels = loss.labels(logits(x.detach(), model))
        differentiable = wants_gradient(x)

        def total(photos: Tensor, labels: Tensor) -> Tensor:
            return loss.of(model(photos), labels)

        def slope(
            inputs: tuple[Tensor], additional_forward_args: tuple[Tensor], **_: object
        ) -> tuple[Tensor, ...]:
            value = total(*inputs, *additional_forward_args).sum()
            return torch.autograd.grad(value, inputs, create_graph=differentiable)

        path: Any = PathIntegral(total)
        path.gradient_func = slope  # captum's own cuts the graph, and so do its chunks
        with torch.enable_grad():
            attribution = path.attribute(
                x if differentiable else x.detach(),
                baselines=0,
                additional_forward_args=labels,
                n_steps=PATH_STEPS,
                internal_batch_size=None if differentiable else max(PATH_BATCH, len(x)),
            )
        return strongest(attribution if differentiable else attribution.detach())
