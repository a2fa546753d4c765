"""A universal patch from the first step to the last, and what it then does to photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attacks.patch_training import Lesson, Training
from attacks.stickers import scattered, straight, stuck
from evaluation.measures.intervals import wilson
from ops.coding import from_bytes
from ops.random_crop import random_crop

TURN = 20.0
"""Degrees to either side by which a patch is turned when it is measured."""


def lessons(training: Training, count: int, photos: Callable[[list[int]], list[Tensor]]) -> Iterator[Lesson]:
    """All steps that are left, each on random crops of photos drawn at random.

    Args:
        training: is what changes.
        count: of photos to learn from.
        photos: numbers from 0 to ``count`` - 1 -> these photos, each (3, H, W) uint8.
    """
    recipe, model = training.recipe, training.model
    while training.step < recipe.steps:
        # A stream of its own for each step, so that a resumed training draws what an unbroken one draws.
        generator = torch.Generator().manual_seed(1_000_000 * recipe.seed + training.step)
        drawn = torch.randint(count, (recipe.batch,), generator=generator).tolist()
        crops = [
            random_crop(photo, model.working_size, generator, recipe.smallest_crop)[0]
            for photo in photos(drawn)
        ]
        yield training.learn(from_bytes(torch.stack(crops).to(model.device)))


@dataclass(frozen=True)
class Effect:
    """What a patch does to photos that are not called its target without it; two of them add up.

    Attributes:
        photos: how many were counted.
        hits: how many of them have the target with the patch: ``fooled`` where it was trained, ``fooled
            turned`` if it is turned there by up to ``TURN`` degrees to either side, ``fooled anywhere`` if it
            lies anywhere.
        probability: of the target where the patch was trained, the sum over the photos.
    """

    photos: int
    hits: Mapping[str, int]
    probability: float

    def __add__(self, other: Effect) -> Effect:
        hits = {name: count + other.hits[name] for name, count in self.hits.items()}
        return Effect(self.photos + other.photos, hits, self.probability + other.probability)

    @property
    def figures(self) -> dict[str, Any]:
        """``photos``, the mean ``probability``, and the share of each of ``hits``; 0 without photos."""
        number = max(self.photos, 1)
        shares = {name: round(count / number, 4) for name, count in self.hits.items()}
        return {"photos": self.photos, "probability": round(self.probability / number, 4), **shares}

    @property
    def intervals(self) -> dict[str, list[float]]:
        """The 95 % interval of the share of each of ``hits``: its two ends."""
        return {
            name: [round(end, 4) for end in wilson(count, self.photos)] for name, count in self.hits.items()
        }


@torch.no_grad()
def measured(patch: Tensor, training: Training, batches: Iterable[Tensor]) -> Effect:
    """How often ``patch`` (1, 3, side, side) brings its target about, on photos not called so without it.

    Args:
        patch: to be put where the recipe's x and y say; turned there; and anywhere.
        training: what it was trained by.
        batches: photos (B, 3, S, S) in [0, 1] at the classifier's working size.
    """
    model, target, box = training.model, training.target, training.box
    generator = torch.Generator().manual_seed(training.recipe.seed)
    effect = Effect(0, {"fooled": 0, "fooled turned": 0, "fooled anywhere": 0}, 0.0)
    for photos in batches:
        x = photos.to(model.device)
        size = x.shape[-1]
        counted = model(x).argmax(1) != target
        lying = (
            straight(box, len(x)),
            scattered(box, len(x), size, generator, rotation=TURN, anywhere=False),
            scattered(box, len(x), size, generator),
        )
        chances = [model(stuck(x, patch, stickers)[0]).softmax(1)[counted] for stickers in lying]
        hits = [int((chance.argmax(1) == target).sum()) for chance in chances]
        effect += Effect(
            int(counted.sum()),
            dict(zip(effect.hits, hits, strict=True)),
            float(chances[0][:, target].double().sum()),
        )
    return effect
