"""How often a classifier is right, photos in batches."""

from __future__ import annotations

import torch
from torch import Tensor

from classifiers.base import Classifier
from evaluation.measures.metrics import ndcg
from explain import logits

BATCH = 20


@torch.no_grad()
def probabilities(classifier: Classifier, x: Tensor) -> Tensor:
    """(N, labels) of every label, where ``x`` (N, 3, H, W) is; a part at a time is on the device."""
    parts = (logits(part.to(classifier.device), classifier).softmax(1) for part in x.split(BATCH))
    return torch.cat([part.to(x.device) for part in parts])


def predicted(classifier: Classifier, x: Tensor) -> Tensor:
    """(N,) the likeliest labels."""
    return probabilities(classifier, x).argmax(1)


def share(hits: Tensor) -> float:
    """Share of True, as a percentage with one digit."""
    return round(100 * hits.float().mean().item(), 1)


def judged(likely: Tensor, expected: Tensor, y: Tensor) -> dict[str, float]:
    """Top-1 (%) and mean nDCG of probabilities (N, labels), by the clean photos' and by the labels (N,)."""
    return {
        "top-1": share(likely.argmax(1) == y),
        "nDCG": round(ndcg(expected, likely).mean().item(), 3),
    }
