"""Saliency-map-based Local Gradients Smoothing: smooth only where the classifier looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses.lgs import LGS, MAP_ON_THE_PATCH, SMOOTHED
from defenses.looking import Looking, loss_field, saliency_field, seed_field, top_k_field
from ops.morphology import dilate, erode
from ops.scaling import mean
from ops.straight_through import positive, straight_through
from story import Step, param
from story.param import Value

DILATED = ("after dilation", "selected region", *SMOOTHED)
ERODED = ("after erosion", *DILATED)
BINARISED = ("binary mask", *ERODED)
LOOKED = ("saliency", *BINARISED)


@dataclass(frozen=True)
class SLGS(Looking, LGS):
    """x ⊙ clip(1 − λ D ⊙ ĝ, 0, 1), D being 1 where the classifier's saliency M is above its mean, cleaned up.

    The mask is eroded, which drops scattered pixels, then dilated, which closes holes; ĝ is that of LGS.

    Source: You-Wei and Sheng-De 2022, eq. 6-10.
    """

    title: ClassVar[str] = "Saliency-map-based LGS (SLGS)"
    source: ClassVar[str] = "You-Wei and Sheng-De 2022, section 3, eq. 6-10"
    gradient: ClassVar[str] = "exact, but straight-through at binarisation, erosion and dilation"
    finds: ClassVar[str] = "after dilation"
    REGION: ClassVar[str] = r"D \odot \hat{g}"
    paper: ClassVar[Mapping[str, Value]] = {"saliency": "gradient"}
    hopes: ClassVar[str] = MAP_ON_THE_PATCH

    saliency: str = saliency_field(moves=LOOKED)
    top_k: int = top_k_field(moves=LOOKED)
    loss: str = loss_field(moves=LOOKED)
    seed: int = seed_field(moves=LOOKED)
    binarise: float = param(
        1.0,
        low=0,
        high=5,
        step=0.1,
        unit="× mean",
        help="saliency over this many times its mean goes into the mask; 1 is the paper's",
        moves=BINARISED,
    )
    erosions: int = param(
        2,
        low=0,
        high=10,
        step=1,
        unit="times",
        help="how often the mask is eroded: drops scattered pixels",
        moves=ERODED,
    )
    dilations: int = param(
        3,
        low=0,
        high=10,
        step=1,
        unit="times",
        help="how often it is then dilated: closes holes",
        moves=DILATED,
    )

    def select(self, x: Tensor, kept: Tensor, model: Classifier) -> tuple[list[Step], Tensor]:
        """Saliency, mask, its clean-up and the photo under it; D ⊙ ĝ."""
        looks = self.saliency_step(x, model)
        binary = positive(looks.map - self.binarise * mean(looks.map))
        eroded = straight_through(erode(binary, self.erosions), binary)
        dilated = straight_through(dilate(eroded, self.dilations), eroded)
        steps = [
            looks,
            Step(
                "binary mask",
                binary,
                "mask",
                "Saliency above its mean: the patch, and scattered pixels all over the photo.",
                rf"B = [\, M > {'' if self.binarise == 1 else f'{self.binarise:g}'}\, \bar{{M}} \,]",
                empty=f"the saliency is nowhere over {self.binarise:g} × its mean",
            ),
            Step(
                "after erosion",
                eroded,
                "mask",
                "A pixel stays only if all nine around it are in the mask: scattered ones disappear.",
                rf"E = B \ominus_{{3 \times 3}} \;({self.erosions} \times)",
                empty="no part of the mask is wide enough to be left",
            ),
            Step(
                "after dilation",
                dilated,
                "mask",
                "What is left grows again and its holes close: does it cover the patch?",
                rf"D = E \oplus_{{3 \times 3}} \;({self.dilations} \times)",
                empty="nothing was left to grow",
            ),
            Step(
                "selected region",
                torch.where(dilated > 0, x, 0.5),
                "photo",
                "Grey is held to be free of attacks and is left alone.",
            ),
        ]
        return steps, dilated * kept
