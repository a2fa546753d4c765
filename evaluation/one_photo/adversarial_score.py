"""Adversarial score: how likely it is that a photo carries a patch, as one number.

The enhanced LGS paper wishes for such a detector; this one is ours. Four signs that a patch leaves go into
a logistic regression, which ``training.fit_suspicion`` fits and measures, for one classifier at a time. It is
a probability for photos half of which carry a patch, a quarter nothing and a quarter a harmless sticker, as
those that it was fitted on. Stickers matter: a chequered tag is as busy as a patch, and where it covers what
the classifier looked at, smoothing it changes the answer too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from classifiers.base import Classifier
from classifiers.fitted import fitted_card
from defenses.automatic import busy_area
from defenses.lgs import LGS
from explain import logits, remembered, saliency
from ops.windows import window_means

FOLDER = Path(__file__).parents[2] / "assets" / "suspicion"
SIGNS = {
    "busiest window": "mean local gradient of the busiest window",
    "busy area": "share of the photo that busy windows cover",
    "gaze": "share of the classifier's saliency on them",
    "change of mind": "how far the classifier's probabilities move when they are smoothed",
}
"""What is looked at, each from 0 to 1."""
_LGS, _LAM = LGS(), 2.3


@dataclass(frozen=True)
class Suspicion:
    """The fitted score.

    Attributes:
        weights: of each of ``SIGNS``, in their order.
        bias: added to their weighted sum.
        alarm_from: score under which nearly all harmless photos lie, plain ones and those with a sticker.
        classifier: identity of the classifier it was fitted on.
        card: the whole file: recipe, provenance, ROC, AUC and calibration on photos kept apart.
    """

    weights: tuple[float, ...]
    bias: float
    alarm_from: float
    classifier: str
    card: dict[str, Any]

    def of(self, signs: Tensor) -> Tensor:
        """(B, 4) signs -> (B,) scores in [0, 1]."""
        return torch.sigmoid(signs @ signs.new_tensor(self.weights) + self.bias)


def read_suspicion(model: Classifier) -> Suspicion:
    """The score that was fitted on ``model``, or the one that stands in for it (``fitted_card``).

    Raises:
        ValueError: there is none, or its file is not that of a score.
    """
    card = fitted_card(FOLDER, model)
    if card is None:
        raise ValueError("there is no adversarial score: python -m training.fit_suspicion fits one")
    try:
        weights = tuple(float(card["weights"][sign]) for sign in SIGNS)
        edge = float(card["alarm from"])
        return Suspicion(weights, float(card["bias"]), edge, card["classifier"], card)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"the card of {card['classifier']} holds no adversarial score") from None


@remembered
@torch.no_grad()
def signs(x: Tensor, model: Classifier) -> Tensor:
    """The signs of a patch in photos ``x`` (B, 3, H, W) in [0, 1]: (B, 4), in the order of ``SIGNS``.

    Busy windows are those of LGS at its defaults, the saliency is the one that the classifier's card names.
    """
    g = _LGS.local_gradient(x)
    kept = _LGS.keep(g)
    looks = saliency(x, model, method="auto")
    total = looks.sum((1, 2, 3))
    gaze = (looks * (kept > 0)).sum((1, 2, 3)) / total.masked_fill(total == 0, 1)
    before, after = (logits(photo, model).softmax(1) for photo in (x, _LGS.smooth(x, kept, _LAM)))
    return torch.stack(
        [
            window_means(g, _LGS.block, _LGS.overlap).amax((1, 2, 3)),
            busy_area(kept),
            gaze,
            (before - after).abs().sum(1) / 2,
        ],
        1,
    )


def score(x: Tensor, model: Classifier, suspicion: Suspicion | None = None) -> Tensor:
    """The adversarial score of photos ``x`` (B, 3, H, W), (B,) in [0, 1]; by default with ``model``'s fit.

    Raises:
        ValueError: as ``read_suspicion``.
    """
    return (suspicion or read_suspicion(model)).of(signs(x, model))
