"""What a teacher says of every part of a photo, taken once, so that it need not see every crop.

A classifier with one linear layer behind a global average pooling has an opinion at each place of its last
map; the mean of a crop's part of it is close to what the classifier would say of that crop.

Source: Yun et al. 2021, "Re-labeling ImageNet: from Single to Multi-Labels, from Global to Localized Labels".
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align

from classifiers.base import Classifier

SIDE = 192
"""Side in px of the square into which a whole photo is squeezed for the teacher."""


@torch.inference_mode()
def label_maps(teacher: Classifier, photos: list[Tensor], side: int = SIDE, batch: int = 32) -> Tensor:
    """Logits by place, (N, labels, h, w) in half precision, of ``photos``, each (3, H, W) uint8.

    Raises:
        ValueError: the teacher's head is not one linear layer, so that it has no logits by place.
    """
    if teacher.head is None:
        raise ValueError(f"{teacher.name} has no linear head behind a global pooling, and so no label maps")
    maps_of_batches: list[Tensor] = []
    for start in range(0, len(photos), batch):
        squares = [
            F.interpolate(photo[None].float(), (side, side), mode="bilinear", antialias=True)
            for photo in photos[start : start + batch]
        ]
        x = torch.cat(squares).clamp(0, 255).to(teacher.device) / 255
        features = teacher.with_features(x.contiguous(memory_format=torch.channels_last))[1]
        maps = F.conv2d(features, teacher.head.weight[..., None, None], teacher.head.bias)
        maps_of_batches.append(maps.half().cpu())
    return torch.cat(maps_of_batches)


def kept_label_maps(teacher: Classifier, photos: list[Tensor], file: Path) -> Tensor:
    """``label_maps``, out of ``file`` where that holds as many of this teacher; else made, and kept there."""
    if file.exists():
        held = torch.load(file, weights_only=True)
        if (held["teacher"], len(held["maps"])) == (teacher.identity, len(photos)):
            maps: Tensor = held["maps"]
            return maps
    maps = label_maps(teacher, photos)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"teacher": teacher.identity, "maps": maps}, file)
    return maps


def opinions(maps: Tensor, parts: Tensor) -> Tensor:
    """Probabilities (B, labels) that the teacher gives to parts of photos with ``maps`` (B, labels, h, w).

    ``parts`` (B, 4) are left, top, right, bottom, as shares of the photo's sides.
    """
    height, width = maps.shape[-2:]
    boxes = [part[None] * torch.tensor([width, height, width, height]) for part in parts]
    seen = roi_align(maps.float(), boxes, output_size=1, sampling_ratio=4, aligned=True)
    return seen[..., 0, 0].softmax(1)
