"""HiResCAM: the evidence for the predicted label, by place."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from explain.class_maps import NOTHING_SPEAKS, enlarged, evidence, slope_formula
from explain.saliencies.base import Loss, Saliency


class HiResCAM(Saliency):
    """The positive part of gradient ⊙ features, summed over the channels and upsampled.

    The gradient is that of the predicted logit's distance from the mean of all logits.

    Source: Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks".
    """

    uses_loss: ClassVar[bool] = False
    empty: ClassVar[str] = NOTHING_SPEAKS

    def formula(self, model: Classifier) -> str:  # noqa: ARG002
        """What speaks against the label is subtracted before the rest is kept."""
        return rf"\mathrm{{ReLU}}\left( \sum_k {slope_formula()} \odot A_k \right)"

    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:  # noqa: ARG002
        """As ``class_maps.evidence``."""
        return enlarged(evidence(x, model).relu(), x.shape[-2:])
