"""Digital Watermarking: cut out what the classifier looks at most, and paint the hole from its border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses.base import difference_step, photo_step
from defenses.looking import Looking, loss_field, saliency_field, seed_field, top_k_field
from ops.morphology import dilate, erode
from ops.restoration import inpainted
from ops.scaling import mean
from story import Step, param
from story.param import Value

FILLED = ("hole", "result", "difference")
GROWN = ("after dilation", *FILLED)
ERODED = ("after erosion", *GROWN)
BINARISED = ("binary mask", *ERODED)
LOOKED = ("saliency", *BINARISED)


@dataclass(frozen=True)
class DigitalWatermarking(Looking):
    """Saliency over a threshold is taken for a visible attack like a watermark, and painted over.

    The mask is eroded, which drops scattered pixels, then dilated, which closes holes. The hole is filled by
    biharmonic inpainting, so that brightness runs smoothly from its border inwards.

    Source: Hayes 2018, "On Visible Adversarial Perturbations & Digital Watermarking", as the baseline of You-
    Wei and Sheng-De 2022; the inpainting is ours to choose.
    """

    title: ClassVar[str] = "Digital Watermarking (DW)"
    source: ClassVar[str] = "Hayes 2018; baseline of You-Wei and Sheng-De 2022"
    against: ClassVar[Literal["small changes", "patches"]] = "patches"
    finds: ClassVar[str] = "after dilation"
    gradient: ClassVar[str] = "straight-through: the identity where nothing is painted over, nothing else"
    paper: ClassVar[Mapping[str, Value]] = {"saliency": "gradient"}
    hopes: ClassVar[str] = (
        "Digital Watermarking cuts out where the classifier looks most, so its map must gather on the patch."
    )

    saliency: str = saliency_field(moves=LOOKED)
    top_k: int = top_k_field(moves=LOOKED)
    loss: str = loss_field(moves=LOOKED)
    seed: int = seed_field(moves=LOOKED)
    binarise: float = param(
        2.5,
        low=0.5,
        high=10,
        step=0.1,
        unit="× mean",
        help="saliency over this many times its mean is cut out",
        moves=BINARISED,
    )
    erosions: int = param(
        1, low=0, high=10, step=1, unit="times", help="how often the mask is eroded", moves=ERODED
    )
    dilations: int = param(
        3, low=0, high=10, step=1, unit="times", help="how often it is then dilated", moves=GROWN
    )

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:
        """Photo, saliency, the mask and its clean-up, the hole, result, difference."""
        looks = self.saliency_step(x, model)
        binary = (looks.map > self.binarise * mean(looks.map)).to(x)
        eroded = erode(binary, self.erosions)
        dilated = dilate(eroded, self.dilations)
        result = inpainted(x, dilated)
        return [
            photo_step(x),
            looks,
            Step(
                "binary mask",
                binary,
                "mask",
                "Where the classifier looks most: the patch alone, or the object too?",
                rf"B = [\, M > {self.binarise:g}\, \bar{{M}} \,]",
                empty=f"the saliency is nowhere over {self.binarise:g} × its mean",
            ),
            Step(
                "after erosion",
                eroded,
                "mask",
                "Scattered pixels are gone.",
                rf"E = B \ominus_{{3 \times 3}} \;({self.erosions} \times)",
                empty="no part of the mask is wide enough to be left",
            ),
            Step(
                "after dilation",
                dilated,
                "mask",
                "Does it cover the patch?",
                rf"D = E \oplus_{{3 \times 3}} \;({self.dilations} \times)",
                empty="nothing was left to grow",
            ),
            Step(
                "hole",
                torch.where(dilated > 0, 0.5, x),
                "photo",
                "Grey is forgotten and will be painted from its border.",
            ),
            Step("result", result, "photo", "What the classifier now sees: the hole is filled smoothly."),
            difference_step(result, x, "All that was changed: if the object lies here, it is lost."),
        ]
