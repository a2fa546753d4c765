"""How good a detector is that gives each thing a score from 0 to 1: ROC, area under it, calibration."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def roc(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of false and of true alarms, each (T,) rising from 0 to 1, one point for each score that occurs.

    Equal scores alarm together, so chance gives the diagonal.

    Args:
        scores: (N,), higher is more suspicious.
        positive: (N,) bool; both kinds occur.

    Raises:
        ValueError: one kind is missing.
    """
    if positive.all() or not positive.any():
        raise ValueError("a ROC curve needs both kinds")
    order = scores.argsort(descending=True)
    scores, hit = scores[order], positive[order]
    last = torch.cat([scores[1:] != scores[:-1], torch.tensor([True])])
    true = hit.cumsum(0)[last] / hit.sum()
    false = (~hit).cumsum(0)[last] / (~hit).sum()
    nothing = torch.zeros(1)
    return torch.cat([nothing, false]), torch.cat([nothing, true])


def auc(scores: Tensor, positive: Tensor) -> float:
    """Area under ``roc``: the probability that a positive is more suspicious than a negative, ties halved."""
    return float(torch.trapezoid(*reversed(roc(scores, positive))))


def true_alarms_at(scores: Tensor, positive: Tensor, false_alarms: float) -> float:
    """The largest share of true alarms with at most that share of ``false_alarms``."""
    false, true = roc(scores, positive)
    return float(true[false <= false_alarms].max())


def calibration(scores: Tensor, positive: Tensor, bins: int = 10) -> dict[str, Any]:
    """Whether a score of 0.8 is right eight times of ten.

    Brier's score (mean squared error), the expected calibration error (mean distance of score and share,
    weighted by how many there are) and the bins of equal width that hold anything.

    Source: Brier 1950; Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3.
    """
    truth = positive.to(scores)
    places = (scores * bins).long().clamp(max=bins - 1)
    rows, error = [], 0.0
    for place in range(bins):
        inside = places == place
        if not inside.any():
            continue
        said, came = float(scores[inside].mean()), float(truth[inside].mean())
        error += float(inside.float().mean()) * abs(said - came)
        rows.append({"count": int(inside.sum()), "score": round(said, 4), "share": round(came, 4)})
    return {"brier": round(float(((scores - truth) ** 2).mean()), 4), "error": round(error, 4), "bins": rows}
