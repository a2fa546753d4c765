"""The gradient of a loss: which pixels would change it most."""

from __future__ import annotations

from torch import Tensor

from classifiers.base import Classifier
from explain.saliencies.base import Loss, Saliency, strongest


class Gradient(Saliency):
    """|∂L/∂x|, the largest over the channels.

    Source: Simonyan et al. 2013, "Deep Inside Convolutional Networks"; You-Wei and Sheng-De 2022, eq. 6.
    """

    def formula(self, model: Classifier) -> str:  # noqa: ARG002
        """The largest slope in any channel."""
        return r"\max_c \left| \nabla_x L(x) \right|"

    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:  # noqa: ARG002
        """One pass forward and back."""
        return strongest(loss.slope(x, model))
