"""Weighted Local Gradients Smoothing: smooth the more, the more the classifier looks there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from defenses.lgs import LGS, MAP_ON_THE_PATCH, SMOOTHED
from defenses.looking import Looking, loss_field, saliency_field, seed_field, top_k_field
from ops.scaling import min_max, z_score
from story import Step, param
from story.param import Value

NORMALISATIONS = {"z-score": z_score, "min-max": min_max}
FORMULAS = {
    "z-score": r"\frac{M - \bar{M}}{\mathrm{std}(M)}",
    "min-max": r"\frac{M - \min M}{\max M - \min M}",
}
WEIGHTED = ("saliency weight", *SMOOTHED)
LOOKED = ("saliency", *WEIGHTED)


@dataclass(frozen=True)
class WLGS(Looking, LGS):
    """x ⊙ clip(1 − λ W ⊙ ĝ, 0, 1), W being the classifier's saliency M normalised for each photo; ĝ is LGS's.

    The paper's formula for W lost its denominator. It is read as the z-score, because Fig. 5 speaks of
    clipping W to (0, 1), which would do nothing to a min-max map; ``clamp`` is that clipping. Where W is
    negative nothing is smoothed either way: the clip of T sees to it.

    Source: You-Wei and Sheng-De 2022, eq. 11-12.
    """

    title: ClassVar[str] = "Weighted LGS (WLGS)"
    source: ClassVar[str] = "You-Wei and Sheng-De 2022, section 3, eq. 11-12"
    gradient: ClassVar[str] = "exact"
    finds: ClassVar[str] = "smoothing weight"
    REGION: ClassVar[str] = r"W \odot \hat{g}"
    paper: ClassVar[Mapping[str, Value]] = {"saliency": "gradient"}
    hopes: ClassVar[str] = MAP_ON_THE_PATCH

    saliency: str = saliency_field(moves=LOOKED)
    top_k: int = top_k_field(moves=LOOKED)
    loss: str = loss_field(moves=LOOKED)
    seed: int = seed_field(moves=LOOKED)
    normalisation: str = param(
        "z-score",
        choices=tuple(NORMALISATIONS),
        help="W in standard deviations from the mean (the paper's, as read), or stretched to 0 to 1",
        moves=WEIGHTED,
    )
    clamp: bool = param(False, help="clip W to 0 to 1, the figure's “WLGS clamp”", moves=WEIGHTED)

    def select(self, x: Tensor, kept: Tensor, model: Classifier) -> tuple[list[Step], Tensor]:
        """Saliency and its normalised form W; W ⊙ ĝ."""
        looks = self.saliency_step(x, model)
        weight, formula = NORMALISATIONS[self.normalisation](looks.map), FORMULAS[self.normalisation]
        if self.clamp:
            weight, formula = weight.clamp(0, 1), rf"\mathrm{{clip}}\left({formula},\, 0,\, 1\right)"
        step = Step(
            "saliency weight",
            weight,
            "signed",
            "Above 0 the classifier looks more than on average and the photo is smoothed; below 0 it is not.",
            f"W = {formula}",
            empty="the saliency is the same everywhere",
        )
        return [looks, step], weight * kept
