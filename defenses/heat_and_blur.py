"""Heat and Blur: keep what the network's relevance is warm on, blur the rest massively."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from defenses.base import Defense, difference_step, photo_step
from explain import (
    STANDS_IN,
    STARTS,
    doubt,
    propagates,
    relevance,
    relevance_formula,
    relevance_name,
    why_empty,
)
from ops.blur import blurred
from ops.scaling import min_max
from ops.straight_through import clipped
from story import Step, param
from story.param import Value

BLENDED = ("result", "difference")
HEATED = ("heat", *BLENDED)
LOOKED = ("relevance", *HEATED)


@dataclass(frozen=True)
class HeatAndBlur(Defense):
    """H ⊙ blur(x, σ_hot) + (1 − H) ⊙ blur(x, σ_cold), H being warm where the network's activity comes from.

    Of the source only the abstract is at hand. It says that a relevance heatmap is drawn from the network's
    activity, where information on the true object is held to survive an attack; that the map guides massive
    blurring, which destroys the attack; and that pretrained networks are used as they are (VGG19 there). All
    else is our reconstruction: LRP by EpsilonPlus from the activity of the last convolutional stage
    ("class-free"), with two other starts beside it; H = b + (1 − b) · minmax(G ∗ max(R, 0))^γ; the way in
    which the sharp and the blurred photo are put together; every default.

    The defaults come from ``experiments.heat_and_blur_parameters`` on the built-in classifier (40 photos,
    seed 1, class-free): right on clean photos, FGSM, PGD and LaVAN 87.5, 47.5, 57.5 and 25 %, where σ_cold
    15, σ_hot 0, γ 1, smoothing 4 and floor 0 had 80, 42.5, 45 and 0 %. They are those of the search's first
    round. The next gained under attack (57.5, 65, 65 %) and lost clean photos (75 %), by a heat that is warm
    nearly everywhere (γ 0.2, floor 0.25): that is the whole photo blurred by σ_hot.

    Source: Brama and Grinshpoun 2020, "Heat and Blur: An Effective and Fast Defense Against Adversarial
    Examples", abstract.
    """

    title: ClassVar[str] = "Heat and Blur"
    source: ClassVar[str] = "Brama and Grinshpoun 2020, as its abstract tells; the rest is reconstructed"
    gradient: ClassVar[str] = "exact through both blurs; the heat does not follow the gradient"
    paper: ClassVar[Mapping[str, Value] | None] = None

    start: str = param(
        "class-free",
        choices=tuple(STARTS),
        help="where relevance begins: the activity of the last stage, the predicted label, or the top labels",
        moves=LOOKED,
    )
    top_k: int = param(
        5,
        low=1,
        high=10,
        step=1,
        unit="labels",
        help="how many of the predicted labels relevance begins at; for top-k alone",
        moves=LOOKED,
    )
    sigma_hot: float = param(
        0.5,
        low=0,
        high=5,
        step=0.1,
        unit="px",
        help="blur where the heat is 1; 0 keeps the photo as it is",
        moves=("hot blur", *BLENDED),
    )
    sigma_cold: float = param(
        10.0,
        low=0,
        high=20,
        step=0.5,
        unit="px",
        help="blur where the heat is 0",
        moves=("cold blur", *BLENDED),
    )
    floor: float = param(
        0.1,
        low=0,
        high=1,
        step=0.05,
        unit="of the range",
        help="the least heat anywhere: so much of the hot photo is kept even where nothing is relevant",
        moves=HEATED,
    )
    gamma: float = param(
        0.5,
        low=0.2,
        high=4,
        step=0.1,
        unit="exponent",
        help="power of the heat: under 1 it spreads over more of the photo, over 1 it gathers at its peaks",
        moves=HEATED,
    )
    smoothing: float = param(
        2.0,
        low=0,
        high=20,
        step=0.5,
        unit="px",
        help="standard deviation of the Gaussian that smooths the relevance into heat",
        moves=HEATED,
    )

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:
        """Photo, relevance, heat, both blurred photos, result, difference."""
        looked = self.relevance(x, model)
        heat = self.heat(looked)
        hot, cold = blurred(x, self.sigma_hot), blurred(x, self.sigma_cold)
        result = clipped(heat * hot + (1 - heat) * cold)
        return [
            photo_step(x),
            Step(
                "relevance",
                looked,
                "signed",
                self._note(model),
                relevance_formula(self.start, model),
                empty=why_empty(model),
            ),
            Step(
                "heat",
                heat,
                "heat",
                "The positive part, smoothed and stretched: bright stays sharp, dark is blurred.",
                r"H = b + (1 - b)\, \mathrm{minmax}(G * \max(R, 0))^{\gamma}",
                empty="the positive part is the same everywhere once it is smoothed",
            ),
            Step(
                "hot blur",
                hot,
                "photo",
                "What bright places are taken from: the object should still be all there.",
                r"x_\mathrm{hot} = G_{\sigma_\mathrm{hot}} * x",
            ),
            Step(
                "cold blur",
                cold,
                "photo",
                "What dark places are taken from: no trace of an attack should be left.",
                r"x_\mathrm{cold} = G_{\sigma_\mathrm{cold}} * x",
            ),
            Step(
                "result",
                result,
                "photo",
                "What the classifier now sees: the object in a haze.",
                r"x' = H \odot x_\mathrm{hot} + (1 - H) \odot x_\mathrm{cold}",
            ),
            difference_step(
                result, x, "All that was changed: is more of it off the object than on it?", of="x'"
            ),
        ]

    def _note(self, model: Classifier) -> str:
        """What to look for in the relevance."""
        if not propagates(model):
            return STANDS_IN
        return doubt(relevance_name(self.start), model) or (
            "Which pixels the activity comes from: does it gather on the object, or on the attack?"
        )

    def relevance(self, x: Tensor, model: Classifier) -> Tensor:
        """R of photos ``x`` (B, 3, H, W): (B, 1, H, W), signed."""
        return relevance(x, model, start=self.start, top_k=self.top_k)

    def heat(self, looked: Tensor) -> Tensor:
        """H of a relevance (B, 1, H, W): of the same shape, in [``floor``, 1]."""
        warm = min_max(blurred(looked.clamp(min=0), self.smoothing))
        return self.floor + (1 - self.floor) * warm**self.gamma
