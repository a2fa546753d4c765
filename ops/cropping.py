"""Random parts of a photo, to learn from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_crop(
    photo: Tensor, side: int, generator: torch.Generator, smallest: float
) -> tuple[Tensor, tuple[float, float, float, float]]:
    """A random part of ``photo``, of area share ``smallest``..1 and shape 3:4..4:3, as (3, side, side) uint8.

    Half of the crops are mirrored. Beside it the part: left, top, right, bottom, as shares of the sides.
    """
    height, width = photo.shape[-2:]
    share, shape, top, left, mirror = torch.rand(5, generator=generator).tolist()
    area = (smallest + (1 - smallest) * share) * height * width
    aspect = (3 / 4) ** (1 - 2 * shape)
    crop_width = min(width, max(1, round((area * aspect) ** 0.5)))
    crop_height = min(height, max(1, round((area / aspect) ** 0.5)))
    top, left = int(top * (height - crop_height + 1)), int(left * (width - crop_width + 1))
    crop = photo[None, :, top : top + crop_height, left : left + crop_width]
    crop = F.interpolate(crop, (side, side), mode="bilinear", antialias=True)[0]
    part = (left / width, top / height, (left + crop_width) / width, (top + crop_height) / height)
    return crop.flip(-1) if mirror < 0.5 else crop, part
