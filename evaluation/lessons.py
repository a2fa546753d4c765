"""A universal patch from the first step to the last, and what it then does to photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from attacks.patch_training import Lesson, Training
from attacks.placement import pasted
from photos.random_crop import random_crop


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
        chosen = torch.randint(count, (recipe.batch,), generator=generator).tolist()
        crops = [
            random_crop(photo, model.working_size, generator, recipe.smallest_crop)
            for photo in photos(chosen)
        ]
        yield training.learn(torch.stack(crops).to(model.device) / 255)


@torch.no_grad()
def measured(patch: Tensor, training: Training, batches: Iterable[Tensor]) -> dict[str, Any]:
    """How often ``patch`` (1, 3, side, side) brings its target about, on photos not called so without it.

    Args:
        patch: lies where the recipe's x and y say.
        training: what it was trained by.
        batches: photos (B, 3, S, S) in [0, 1] at the classifier's working size.

    Returns:
        ``photos``, how many were counted; ``fooled``, the share that says the target; ``probability``, its
        mean. The shares are 0 where none was counted.
    """
    model, target = training.model, training.target
    clean, attacked = [], []
    for photos in batches:
        x = photos.to(model.device)
        clean.append(model(x).argmax(1).cpu())
        attacked.append(model(pasted(x, training.box, patch)).softmax(1).cpu())
    counted = torch.cat(clean) != target
    chances = torch.cat(attacked)[counted]
    number = max(len(chances), 1)
    return {
        "photos": len(chances),
        "fooled": round((chances.argmax(1) == target).sum().item() / number, 4),
        "probability": round(chances[:, target].sum().item() / number, 4),
    }
