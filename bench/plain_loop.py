"""Pixel Deflection as plain code has it: one pixel after the other, photo by photo."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.float32]


def deflected(photos: Pictures, maps: Pictures, count: int, window: int) -> Pictures:
    """The post's loop: ``photos`` (B, H, W, 3) with ``count`` pixels moved, ``maps`` (B, H, W) in [0, 1].

    All channels move together; a pixel is skipped with the probability that the map names.
    """
    photos = photos.copy()
    _, height, width, _ = photos.shape
    for photo, spared in zip(photos, maps, strict=True):
        left = count
        while left > 0:
            x, y = random.randint(0, height - 1), random.randint(0, width - 1)
            if random.uniform(0, 1) < spared[x, y]:
                continue
            while True:
                a, b = random.randint(-window, window), random.randint(-window, window)
                if 0 <= x + a < height and 0 <= y + b < width:
                    break
            photo[x, y] = photo[x + a, y + b]
            left -= 1
    return photos
