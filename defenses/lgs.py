"""Local Gradients Smoothing: darken what is busy, because a patch is busier than most of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses.automatic import automatic_lam
from defenses.base import Defense, difference_step, photo_step
from explain import remembered
from ops.gradients import OPERATORS, luma, magnitude
from ops.scaling import min_max
from ops.windows import kept_pixels
from story import Step, param

SMOOTHED = ("smoothing weight", "result", "difference")
KEPT = ("kept windows", *SMOOTHED)
MAP_ON_THE_PATCH = "SLGS and WLGS smooth where the classifier looks, so its map must gather on the patch."
"""What its two children hope of the classifier."""


@dataclass(frozen=True)
class LGS(Defense):
    """x ⊙ clip(1 − λ ĝ, 0, 1), ĝ being the local gradient g inside windows whose mean is over a threshold.

    g = |∇x| of the luma, stretched to [0, 1] for each photo. With ``channels="each"``, red, green and blue go
    all the way by themselves, each as a grey photo of its own; the steps then show the largest of the three.
    The windows cover every pixel: the last row and column of them sit flush with the border.

    Source: Naseer et al. 2019, "Local Gradients Smoothing", and as the baseline of You-Wei and Sheng-De 2022,
    eq. 4-5. Their text speaks of a window's total, read here as its mean; their threshold 0.2 is the default.
    """

    title: ClassVar[str] = "Local Gradients Smoothing (LGS)"
    source: ClassVar[str] = "Naseer, Khan and Porikli 2019; You-Wei and Sheng-De 2022, section 2.3"
    gradient: ClassVar[str] = "exact"
    against: ClassVar[Literal["small changes", "patches"]] = "patches"
    finds: ClassVar[str] = "kept windows"
    strength_name: ClassVar[str] = "lam"
    REGION: ClassVar[str] = r"\hat{g}"
    """What λ multiplies, in LaTeX."""

    lam: float | str = param(
        2.3,
        low=0,
        high=5,
        step=0.1,
        unit="×",
        help="λ: how strongly the region is smoothed away; auto: by the area of the busy windows",
        moves=SMOOTHED,
        auto=True,
    )
    threshold: float = param(
        0.2,
        low=0,
        high=1,
        step=0.01,
        unit="of the steepest gradient",
        help="a window whose mean gradient is over this keeps its pixels; 0.1 when LGS was first published",
        moves=KEPT,
    )
    block: int = param(15, low=3, high=63, step=2, unit="px", help="side of a window", moves=KEPT)
    overlap: int = param(
        5,
        low=0,
        high=62,
        step=1,
        unit="px",
        help="how far neighbouring windows overlap, less than block",
        moves=KEPT,
    )
    channels: str = param(
        "luma",
        choices=("luma", "each"),
        help="gradient of the brightness, or of red, green and blue each by itself",
        moves=("local gradient", *KEPT),
        advanced=True,
    )
    operator: str = param(
        "forward",
        choices=tuple(OPERATORS),
        help="gradient by the difference to the next pixel, or by Sobel's 3×3 kernels",
        moves=("local gradient", *KEPT),
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overlap >= self.block:
            raise ValueError(
                f"overlap must be less than block, 0 to {self.block - 1} px for a block of {self.block}; "
                f"{self.overlap} is not"
            )

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:
        """Photo, g, ĝ, what ``select`` adds, smoothing weight, result, difference."""
        g = self.local_gradient(x)
        kept = self.keep(g)
        selection, region = self.select(x, kept, model)
        lam = self.strength(kept, model)
        result = self.smooth(x, region, lam)
        return [
            photo_step(x),
            Step(
                "local gradient",
                _largest(g),
                "heat",
                "Bright where neighbouring pixels differ: edges, texture, and above all a noisy patch.",
                r"g = \mathrm{minmax} \sqrt{(\partial x / \partial a)^2 + (\partial x / \partial b)^2}",
                empty="the gradient is the same everywhere",
            ),
            Step(
                "kept windows",
                _largest(kept),
                "heat",
                "Only windows that are busy on average are left: is the patch among them, and what else is?",
                rf"\hat{{g}} = g \odot [\, \bar{{g}}_{{\mathrm{{window}}}} > {self.threshold:g} \,]",
                empty=f"no window's mean gradient is over the threshold of {self.threshold:g}",
            ),
            *selection,
            Step(
                "smoothing weight",
                _largest(_weight(region, lam)),
                "heat",
                "The share of each pixel that is taken away; where it is 1, the pixel turns black.",
                rf"\mathrm{{clip}}(\lambda \, {self.REGION},\, 0,\, 1){_own_lam(lam)}",
                empty="λ is 0 or no busy window is part of the region",
            ),
            Step(
                "result",
                result,
                "photo",
                "What the classifier now sees: the patch should be dark, the object still there.",
                rf"T(x) = x \odot \mathrm{{clip}}(1 - \lambda \, {self.REGION},\, 0,\, 1)",
            ),
            difference_step(
                result,
                x,
                "All that was changed: anything bright outside the patch is lost for the classifier.",
            ),
        ]

    def local_gradient(self, x: Tensor) -> Tensor:
        """The map g in [0, 1], (B, 1, H, W), with ``channels="each"`` (B, 3, H, W); zeros if constant."""
        return _local_gradient(x, channels=self.channels, operator=self.operator)

    def keep(self, g: Tensor) -> Tensor:
        """ĝ, of the shape of ``g``: g inside the busy windows, 0 elsewhere."""
        return _kept(g, block=self.block, overlap=self.overlap, threshold=self.threshold)

    def select(self, x: Tensor, kept: Tensor, model: Classifier) -> tuple[list[Step], Tensor]:  # noqa: ARG002
        """How the region comes from ĝ: the steps to show, and the region. LGS takes ĝ as it is."""
        return [], kept

    def region(self, x: Tensor, model: Classifier) -> Tensor:
        """All that comes before λ, (B, 1 or 3, H, W): what λ multiplies."""
        return self.select(x, self.keep(self.local_gradient(x)), model)[1]

    def strength(self, kept: Tensor, model: Classifier) -> float | Tensor:
        """λ: the field, or where it is "auto" that of each photo by its ĝ and ``model``, (B, 1, 1, 1)."""
        if not isinstance(self.lam, str):
            return self.lam
        return automatic_lam(type(self).__name__.lower(), kept, model)

    def lam_of(self, x: Tensor, model: Classifier) -> float:
        """The λ that one photo (1, 3, H, W) gets in front of ``model``."""
        return float(self.strength(self.keep(self.local_gradient(x)), model))

    def smooth(self, x: Tensor, region: Tensor, lam: float | Tensor) -> Tensor:
        """The smoothed photos, for one λ, or for (N, 1, 1, 1) of them on one photo: (N, 3, H, W)."""
        return x * (1 - _weight(region, lam))


@remembered
def _local_gradient(x: Tensor, *, channels: str, operator: str) -> Tensor:
    return min_max(magnitude(*OPERATORS[operator](luma(x) if channels == "luma" else x)))


@remembered
def _kept(g: Tensor, *, block: int, overlap: int, threshold: float) -> Tensor:
    return g * kept_pixels(g, block, overlap, threshold)


def _weight(region: Tensor, lam: float | Tensor) -> Tensor:
    return torch.clamp(lam * region, 0, 1)


def _own_lam(lam: float | Tensor) -> str:
    """The end of a formula: which λ one photo got by itself."""
    if not isinstance(lam, Tensor) or len(lam) > 1:
        return ""
    return rf", \quad \lambda = {float(lam):g}"


def _largest(maps: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, 1, H, W)."""
    return maps.amax(1, keepdim=True)
