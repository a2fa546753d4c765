"""The centre of a photo, at the side a classifier works at."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]


def centre_square(width: int, height: int, size: int, crop_share: float = 1.0) -> Box:
    """The part (left, top, right, bottom), in the photo's own px, that becomes the size x size crop.

    It is what "resize the short side to ``size`` / ``crop_share``, then cut ``size`` x ``size`` out of the
    middle" keeps, with the same rounding of the resized sides. With a share of 224/256 that is the "resize
    256, crop 224" by which classifiers of ImageNet are measured. A photo that already has the size of the
    crop is one, and stays whole: otherwise an attacked photo that was saved would not be seen as it was made.
    """
    if width == height == size:
        return 0.0, 0.0, width, height
    ratio = round(size / crop_share) / min(width, height)
    resized_width, resized_height = round(width * ratio), round(height * ratio)
    left, top = (resized_width - size) // 2, (resized_height - size) // 2
    across, down = width / resized_width, height / resized_height
    return left * across, top * down, min(width, (left + size) * across), min(height, (top + size) * down)


def resized_square(pixels: np.ndarray, size: int, crop_share: float = 1.0) -> np.ndarray:
    """The ``centre_square`` of ``pixels`` (H, W, 3) uint8 as (size, size, 3) uint8.

    Equal, but for a rounding of one level, to resizing the whole photo with Pillow's antialiased bilinear
    filter and cropping; only what the crop can see is resized, or a photo of one row of pixels would become
    gigabytes.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = centre_square(width, height, size, crop_share)
    # The filter reaches one output pixel beyond the crop.
    reach = math.ceil(max(right - left, bottom - top) / size) + 1
    first_column, last_column = max(0, math.floor(left) - reach), min(width, math.ceil(right) + reach)
    first_row, last_row = max(0, math.floor(top) - reach), min(height, math.ceil(bottom) + reach)
    seen = Image.fromarray(pixels[first_row:last_row, first_column:last_column])
    box = (left - first_column, top - first_row, right - first_column, bottom - first_row)
    return np.array(seen.resize((size, size), Image.Resampling.BILINEAR, box=box))
