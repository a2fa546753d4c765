"""What a classifier says about a photo."""

from __future__ import annotations

from torch import Tensor

from classifiers.base import Classifier, ClassifierError
from explain.memo import remembered


@remembered
def logits(x: Tensor, model: Classifier) -> Tensor:
    """Photos (B, 3, H, W) in [0, 1] -> logits (B, labels), remembered.

    Raises:
        ClassifierError: they are no numbers, so they say nothing about any label.
    """
    scores = model(x)
    if not bool(scores.detach().softmax(1).isfinite().all()):
        raise ClassifierError(
            f"{model.name} answers with something that is not a number; its weights may be damaged"
        )
    return scores
