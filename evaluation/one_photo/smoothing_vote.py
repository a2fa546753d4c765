"""The smoothing vote under noise, on one photo: the post's experiment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses import SmoothingVote, defend
from explain import Memo, remembering

LEVELS = (0.0, 0.0625, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.5)
"""Standard deviations of the noise, of white; the post has 0, 0.125, 0.25 and 0.375."""


@dataclass(frozen=True)
class Level:
    """What became of one photo under noise of one strength, as shares of the draws.

    Attributes:
        sigma: standard deviation of the noise, of white.
        alone: the classifier says the clean label of the noisy photo itself.
        right, wrong, rejected: the vote accepts the clean label, another, or none.
    """

    sigma: float
    alone: float
    right: float
    wrong: float
    rejected: float


def noisy(x: Tensor, sigma: float, draws: int, seed: int = 0) -> Tensor:
    """Photo ``x`` (1, 3, H, W) with noise, (draws, 3, H, W) in [0, 1]; the same draws for every ``sigma``."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(draws, *x.shape[1:], generator=generator).to(x)
    return (x + sigma * noise).clamp(0, 1)


def under_noise(
    x: Tensor, model: Classifier, defense: SmoothingVote, *, draws: int, batch: int = 64
) -> list[Level]:
    """One row for each of ``LEVELS``; the label on the clean photo ``x`` (1, 3, H, W) is held to be right."""
    with torch.no_grad():
        true = model(x).argmax(1)
        photos = torch.cat([noisy(x, sigma, draws) for sigma in LEVELS])
        labels, votes = [], []
        for part in photos.split(batch):
            with remembering(Memo(256_000_000)):
                outcome = defend(defense, part, model)
            labels.append(outcome.labels)
            votes.append(outcome.votes[:, 0])
    accepted = torch.cat(labels).view(len(LEVELS), draws)
    alone = torch.cat(votes).view(len(LEVELS), draws) == true

    def shares(hits: Tensor) -> list[float]:
        return hits.float().mean(1).tolist()

    rejected, right = shares(accepted < 0), shares(accepted == true)
    return [
        Level(sigma, on_its_own, yes, 1 - yes - no, no)
        for sigma, on_its_own, yes, no in zip(LEVELS, shares(alone), right, rejected, strict=True)
    ]
