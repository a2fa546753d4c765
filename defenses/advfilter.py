"""AdvFilter: a learned denoiser in front of the classifier, or two that are fused pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from defenses.base import Defense, difference_step, photo_step
from denoisers import VARIANTS, Denoiser, fused, load
from ops.straight_through import clipped
from story import Step, param

_ADDED = r"x + \varphi(x)"
_FILTERED = r"x \circledast \varphi(x)"


@dataclass(frozen=True)
class AdvFilter(Defense):
    """A network adds to each pixel, or filters it by a kernel of its own; PA-Filt fuses two such photos.

    The networks do not look at the classifier when they denoise; they have learned on attacks on the one that
    their card names (``training.train_advfilter``).

    Of a Multi-head-Filt the paper shows each head's photo by itself; here ``head`` names the one that counts.

    Source: Huang et al. 2021, "AdvFilter: Predictive Perturbation-aware Filtering against Adversarial Attack
    via Multi-domain Learning".
    """

    title: ClassVar[str] = "AdvFilter"
    source: ClassVar[str] = "Huang et al. 2021"
    gradient: ClassVar[str] = "exact through the network"
    keeps_black_and_white: ClassVar[bool] = False

    variant: str = param(
        "pa-filt",
        choices=tuple(VARIANTS),
        help="add to each pixel or filter it, learned by pixels (img) or by the classifier's features (sem)",
        moves=("result", "difference"),
    )
    head: int = param(
        4,
        low=1,
        high=4,
        step=1,
        unit="of 4",
        help="which output of Multi-head-Filt counts: each has learned from another decade of ε",
        moves=("result", "difference"),
        advanced=True,
    )

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:  # noqa: ARG002
        """Photo, for PA-Filt both denoised photos, both uncertainties, the weight; result, difference."""
        network = load(self.variant, device=x.device, dtype=x.dtype)
        fuses, heads = network.fusion is not None, len(network.heads)
        photos, unsure = network.denoised(x, None if fuses else min(self.head, heads) - 1)
        if fuses:
            between, result, formula = self._fused(network, photos, unsure)
        else:
            between, result = [], clipped(photos[0])
            formula = _ADDED if network.config.kind == "add" else _FILTERED
        return [
            photo_step(x),
            *between,
            Step(
                "result",
                result,
                "photo",
                "What the classifier now sees: is the attack's texture gone, and is the object still sharp?",
                rf"\tilde{{x}} = {formula}",
            ),
            difference_step(result, x, "All that was changed: the attack, or the photo?", of=r"\tilde{x}"),
        ]

    def _fused(
        self, network: Denoiser, photos: list[Tensor], unsure: list[Tensor]
    ) -> tuple[list[Step], Tensor, str]:
        """The steps between photo and result, the result, and its formula."""
        small, medium = (clipped(photo) for photo in photos)
        weight = network.weight(unsure)
        steps = [
            Step(
                "denoised sl",
                small,
                "photo",
                "By the decoder that learned from all strengths: it should be better where the attack "
                "is small or large, or where there is none.",
                r"\tilde{x}_\mathrm{sl} = x \circledast \varphi_\mathrm{sl}(x)",
            ),
            Step(
                "denoised m",
                medium,
                "photo",
                "By the decoder that learned from strong attacks alone: it should be the better one where "
                "the attack is of medium strength.",
                r"\tilde{x}_\mathrm{m} = x \circledast \varphi_\mathrm{m}(x)",
            ),
            Step(
                "uncertainty sl",
                unsure[0].clamp(min=0),
                "heat",
                "The largest weight of each pixel's kernels: at 1 it is kept, below it is mixed with others.",
                r"U_\mathrm{sl} = \max_k \varphi_\mathrm{sl}(x)_k",
                own_scale=True,
                empty="no weight of its kernels is over 0",
            ),
            Step(
                "uncertainty m",
                unsure[1].clamp(min=0),
                "heat",
                "The same for the other decoder: is it lower where the attack is?",
                r"U_\mathrm{m} = \max_k \varphi_\mathrm{m}(x)_k",
                own_scale=True,
                empty="no weight of its kernels is over 0",
            ),
            Step(
                "fusion weight",
                weight,
                "heat",
                "Bright: the first decoder's photo counts; dark: the second's.",
                r"W = \sigma(C([U_\mathrm{sl}, U_\mathrm{m}]))",
                empty="the second decoder's photo counts everywhere",
            ),
        ]
        formula = r"W \odot \tilde{x}_\mathrm{sl} + (1 - W) \odot \tilde{x}_\mathrm{m}"
        return steps, fused(small, medium, weight), formula
