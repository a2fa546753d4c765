"""Local Gradients Smoothing and its children on one photo: what the classifier says at every strength λ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.base import Classifier
from classifiers.device import in_halves
from defenses import LGS
from explain import logits, remember

_PIXELS = 3_000_000
"""Of all photos that pass a classifier together: a large one needs a kilobyte for each."""


@dataclass(frozen=True, eq=False)
class Ribbon:
    """What the classifier says for every strength of a defense.

    Attributes:
        lams: (N,) strengths.
        probabilities: (N, labels).
    """

    lams: NDArray[np.float64]
    probabilities: NDArray[np.float32]


@torch.no_grad()
def ribbon_over(lams: Sequence[float], x: Tensor, model: Classifier, defense: LGS) -> Ribbon:
    """``defense`` on photo ``x`` (1, 3, H, W) at each of the strengths ``lams``, as few passes as fit.

    Where a memo is at hand, it has the classifier's answer for each of them afterwards, so that a λ that is
    among them costs no pass of its own.

    Raises:
        torch.OutOfMemoryError: not even one photo fits.
    """
    region = defense.region(x, model)

    strengths = torch.tensor(lams, dtype=torch.float64).to(x).view(-1, 1, 1, 1)

    def probabilities(part: slice) -> Tensor:
        smoothed = defense.smooth(x, region, strengths[part])
        scores = model(smoothed)
        if x.device.type == "cpu":  # elsewhere to read their bytes takes as long as to ask again
            for photo, answer in zip(smoothed.split(1), scores.split(1), strict=True):
                remember(logits, answer, photo, model)
        return scores.softmax(1).cpu()

    most = max(1, _PIXELS // (x.shape[2] * x.shape[3]))
    answers = in_halves(len(strengths), probabilities, most)[0]
    return Ribbon(np.array(lams, np.float64), torch.cat(answers).numpy())
