"""Whether a map shows what a classifier decides by: the deletion test."""

from __future__ import annotations

import torch
from torch import Tensor

from classifiers.base import Classifier
from evaluation.measures.accuracy import probabilities
from evaluation.measures.intervals import mean_interval
from explain.health import DELETED, MapHealth
from ops.blur import blurred

BLUR = 1 / 16
"""Standard deviation of the blur that deletes, of the photo's longer side: no detail of an object is left."""


def places(maps: Tensor, share: float, *, hottest: bool) -> Tensor:
    """1 at the ``share`` of the places where a map is largest, or smallest, 0 elsewhere: (B, 1, H, W).

    Places of the same value come in a drawn order, the same for all maps of a size and for both ends: of a
    map that is the same everywhere the hottest and the coldest are the same places.
    """
    values = maps.flatten(1)
    count = round(share * values.shape[1])
    drawn = torch.randperm(values.shape[1], generator=torch.Generator().manual_seed(0)).to(values.device)
    order = drawn[values[:, drawn].argsort(dim=1, stable=True, descending=hottest)]
    return torch.zeros_like(values).scatter(1, order[:, :count], 1).view(maps.shape)


def left(model: Classifier, x: Tensor, maps: Tensor, labels: Tensor, *, hottest: bool) -> Tensor:
    """(N,) probability of ``labels`` (N,) where the hottest or coldest places of ``maps`` are blurred away.

    Args:
        model: who looks.
        x: photos (N, 3, H, W) in [0, 1].
        maps: (N, 1, H, W), one for each photo.
        labels: whose probability it is.
        hottest: which of the two places.
    """
    away = places(maps, DELETED, hottest=hottest).to(x)
    changed = x * (1 - away) + blurred(x, BLUR * max(x.shape[-2:])) * away
    return probabilities(model, changed).gather(1, labels[:, None])[:, 0]


def health_of(model: Classifier, x: Tensor, maps: Tensor) -> MapHealth:
    """How ``maps`` (N, 1, H, W) of photos ``x`` (N, 3, H, W) do in front of ``model``.

    The probability is that of the label that is predicted on each photo as it is.

    Source: Samek et al. 2017, "Evaluating the Visualization of What a Deep Neural Network Has Learned" (the
    hottest places first, here in one step); the coldest places beside them are ours.
    """
    before, labels = probabilities(model, x).max(1)
    hottest, coldest = (left(model, x, maps, labels, hottest=hot) for hot in (True, False))
    gap, low, high = mean_interval(coldest - hottest)
    lowest, highest = maps.amin((1, 2, 3)), maps.amax((1, 2, 3))
    return MapHealth(
        photos=len(x),
        constant=(lowest == highest).double().mean().item(),
        empty=((lowest == 0) & (highest == 0)).double().mean().item(),
        hottest=(hottest.sum() / before.sum()).item(),
        coldest=(coldest.sum() / before.sum()).item(),
        gap=gap,
        low=low,
        high=high,
    )
