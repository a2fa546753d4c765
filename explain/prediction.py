"""What a classifier says about a photo."""

from __future__ import annotations

from torch import Tensor

from classifiers.base import Classifier
from explain.memo import remembered


@remembered
def logits(x: Tensor, model: Classifier) -> Tensor:
    """Photos (B, 3, H, W) in [0, 1] -> logits (B, labels), remembered."""
    return model(x)
