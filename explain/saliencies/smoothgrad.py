"""SmoothGrad: the gradient averaged over noisy copies of the photo."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from classifiers.base import Classifier
from explain.prediction import logits
from explain.saliencies.base import Loss, Saliency, strongest

SAMPLES = 16
"""Noisy copies of the photo."""
NOISE = 0.15
"""Their standard deviation, as a share of the range of x (Smilkov et al. 2017: 0.1 to 0.2)."""


class SmoothGrad(Saliency):
    """|mean of ∂L/∂x| over ``SAMPLES`` photos with noise added; the labels are those of the photo itself.

    Source: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".
    """

    is_random: ClassVar[bool] = True

    def formula(self, model: Classifier) -> str:  # noqa: ARG002
        """The mean slope, then the largest in any channel."""
        return r"\max_c \left| \frac{1}{n} \sum_{i=1}^{n} \nabla_x L(x + \sigma z_i) \right|"

    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:
        """One copy after the other, so that only one graph is held."""
        labels = loss.labels(logits(x.detach(), model))
        generator = torch.Generator().manual_seed(seed)
        total = torch.zeros_like(x)
        for _ in range(SAMPLES):
            # Drawn on the CPU, one noise for all photos: the same alone, in a batch and on every device.
            noise = torch.randn(x.shape[1:], generator=generator).to(x)
            total = total + loss.slope(x + NOISE * noise, model, labels)
        return strongest(total / SAMPLES)
