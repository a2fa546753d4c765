"""Local Gradients Smoothing and its children on one photo: what the classifier says at every strength λ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from classifiers.base import Classifier
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

    def probabilities(strengths: Tensor) -> Tensor:
        smoothed = defense.smooth(x, region, strengths)
        scores = model(smoothed)
        if x.device.type == "cpu":  # elsewhere to read their bytes takes as long as to ask again
            for photo, answer in zip(smoothed.split(1), scores.split(1), strict=True):
                remember(logits, answer, photo, model)
        return scores.softmax(1).cpu()

    strengths = torch.tensor(lams, dtype=torch.float64).to(x).view(-1, 1, 1, 1)
    most = max(1, _PIXELS // (x.shape[2] * x.shape[3]))
    answers = torch.cat([halved_to_fit(probabilities, part) for part in strengths.split(most)])
    return Ribbon(np.array(lams, np.float64), answers.numpy())


def halved_to_fit(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """``function`` of all ``inputs`` (N, ...) at once, or of halves where the memory does not suffice."""
    try:
        return function(inputs)
    except torch.OutOfMemoryError:
        if len(inputs) == 1:
            raise
    # Not inside the handler, where the traceback still holds the tensors.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    middle = len(inputs) // 2
    return torch.cat([halved_to_fit(function, half) for half in (inputs[:middle], inputs[middle:])])
