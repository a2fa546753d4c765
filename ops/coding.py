"""What saving a photo does to it: fewer levels, or JPEG; backwards the identity."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.io import decode_jpeg, encode_jpeg

from ops.straight_through import straight_through


def fewer_levels(x: Tensor, bits: int) -> Tensor:
    """(B, C, H, W) in [0, 1] rounded to 2 ** ``bits`` levels."""
    levels = 2**bits - 1
    return straight_through((x * levels).round() / levels, x)


def jpeg(x: Tensor, quality: int) -> Tensor:
    """(B, 3, H, W) in [0, 1], saved as JPEG of ``quality`` 1 to 100 and read again, on the CPU."""
    bytes_ = list((x.detach().clamp(0, 1) * 255).round().byte().cpu())
    read = decode_jpeg(encode_jpeg(bytes_, quality))
    photos = torch.stack(read if isinstance(read, list) else [read])
    return straight_through(photos.to(x) / 255, x)
