"""A universal patch from the first step to the last, and what it then does to photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from attacks.patch_training import Lesson, Training
from attacks.stickers import scattered, straight, stuck
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


@torch.no_grad()
def measured(patch: Tensor, training: Training, batches: Iterable[Tensor]) -> dict[str, Any]:
    """How often ``patch`` (1, 3, side, side) brings its target about, on photos not called so without it.

    Args:
        patch: to be put where the recipe's x and y say; turned there; and anywhere.
        training: what it was trained by.
        batches: photos (B, 3, S, S) in [0, 1] at the classifier's working size.

    Returns:
        ``photos``, how many were counted; ``fooled``, the share that says the target where the patch was
        trained, and ``probability``, its mean there; ``fooled turned``, the share if it is turned there by up
        to ``TURN`` degrees to either side; ``fooled anywhere``, the share if it lies anywhere. The shares are
        0 where none was counted.
    """
    model, target, box = training.model, training.target, training.box
    generator = torch.Generator().manual_seed(training.recipe.seed)
    clean: list[Tensor] = []
    said: dict[str, list[Tensor]] = {"fooled": [], "fooled turned": [], "fooled anywhere": []}
    for photos in batches:
        x = photos.to(model.device)
        size = x.shape[-1]
        clean.append(model(x).argmax(1).cpu())
        lying = (
            straight(box, len(x)),
            scattered(box, len(x), size, generator, rotation=TURN, anywhere=False),
            scattered(box, len(x), size, generator),
        )
        for kept, stickers in zip(said.values(), lying, strict=True):
            kept.append(model(stuck(x, patch, stickers)[0]).softmax(1).cpu())
    counted = torch.cat(clean) != target
    chances = {name: torch.cat(kept)[counted] for name, kept in said.items()}
    number = max(int(counted.sum()), 1)
    return {
        "photos": int(counted.sum()),
        "probability": round(chances["fooled"][:, target].sum().item() / number, 4),
        **{
            name: round((chance.argmax(1) == target).sum().item() / number, 4)
            for name, chance in chances.items()
        },
    }
