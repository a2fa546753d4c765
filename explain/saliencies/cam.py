"""The class activation map of the predicted label."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from explain.class_maps import NOTHING_SPEAKS, cam_formula, enlarged, top_maps
from explain.saliencies.base import Loss, Saliency


class CAM(Saliency):
    """The positive part of the map, upsampled: LayerCAM where the classifier has no linear head.

    Source: Zhou et al. 2016 (CAM); Jiang et al. 2021, "LayerCAM".
    """

    uses_loss: ClassVar[bool] = False
    empty: ClassVar[str] = NOTHING_SPEAKS

    def formula(self, model: Classifier) -> str:
        """The exact map's, or LayerCAM's."""
        return cam_formula(model)

    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:  # noqa: ARG002
        """As ``class_maps.class_maps``."""
        return enlarged(top_maps(x, model, top_k=1).relu(), x.shape[-2:])
