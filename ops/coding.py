"""What saving a photo does to it: 8 bits, fewer levels, or JPEG; backwards the identity."""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ops.straight_through import straight_through


def to_bytes(x: Tensor) -> Tensor:
    """Values in [0, 1], of any shape, as the numbers 0 to 255 of a file, uint8 and without a graph."""
    return (x.detach().clamp(0, 1) * 255).round().byte()


def from_bytes(numbers: Tensor) -> Tensor:
    """The inverse of ``to_bytes``: uint8 -> float32 in [0, 1]."""
    return numbers.float() / 255


def eight_bit(x: Tensor) -> Tensor:
    """``x`` in [0, 1] as it comes back from a saved PNG: rounded to multiples of 1/255."""
    return fewer_levels(x, 8)


def fewer_levels(x: Tensor, bits: int) -> Tensor:
    """(B, C, H, W) in [0, 1] rounded to 2 ** ``bits`` levels."""
    levels = 2**bits - 1
    return straight_through((x * levels).round() / levels, x)


def jpeg(x: Tensor, quality: int) -> Tensor:
    """(B, 3, H, W) in [0, 1], saved as JPEG of ``quality`` 1 to 100 and read again, on the CPU."""
    pictures = to_bytes(x).permute(0, 2, 3, 1).cpu().numpy()
    read = np.stack([_saved(picture, quality) for picture in pictures])
    return straight_through(torch.from_numpy(read).permute(0, 3, 1, 2).contiguous().to(x) / 255, x)


def _saved(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """(H, W, 3), as a JPEG file shows it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    with Image.open(file) as opened:
        return np.asarray(opened)
