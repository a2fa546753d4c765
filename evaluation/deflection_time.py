"""Pixel Deflection against plain code: ``python -m evaluation.deflection_time``.

Deflections against a Python loop that makes the same copies, wavelets against scikit-image photo by photo;
medians in turn in one run, and their ratios.
"""

from __future__ import annotations

import argparse
import random

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import denoise_wavelet

from classifiers import pick_device
from evaluation.timing import medians
from ops.deflection import deflect, draw
from ops.wavelets import denoise


def loop(
    photos: NDArray[np.float32], maps: NDArray[np.float32], count: int, window: int
) -> NDArray[np.float32]:
    """The post's code, for (B, H, W, 3) and (B, H, W), all channels together."""
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


@torch.inference_mode()
def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--deflections", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=21)
    given = parser.parse_args()
    pick_device("cpu")
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(given.batch, 3, given.size, given.size, generator=generator)
    maps = torch.rand(given.batch, 1, given.size, given.size, generator=generator)
    pictures = x.permute(0, 2, 3, 1).contiguous().numpy()
    plain_maps = maps[:, 0].numpy()
    count = given.deflections

    def peer() -> list[NDArray[np.float32]]:
        return [
            denoise_wavelet(picture, sigma=0.04, mode="soft", convert2ycbcr=True, channel_axis=-1)
            for picture in pictures
        ]

    copied, moved, plain, shrunk, theirs = medians(
        [
            x.clone,
            lambda: deflect(x, draw(maps, count, 10, seeds=[0])),
            lambda: loop(pictures, plain_maps, count, 10),
            lambda: denoise(x, sigma=0.04),
            peer,
        ],
        given.repeats,
        warm_up=1,
    )
    print(f"{given.batch} photos of {given.size} px, {torch.get_num_threads()} threads, milliseconds")
    print(f"a copy of the photos, for comparison: {copied:.1f}")
    print(f"{count} deflections: {moved:.1f}, plain loop {plain:.1f}, {plain / moved:.0f} times as fast")
    print(f"wavelets: {shrunk:.1f}, scikit-image {theirs:.1f}, {theirs / shrunk:.1f} times as fast")


if __name__ == "__main__":
    main()
