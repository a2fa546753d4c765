"""Torchvision's classifiers with their official weights and 1000 labels."""

from __future__ import annotations

import torch

from classifiers.architectures import ARCHITECTURES, Architecture
from classifiers.base import Classifier, Progress
from classifiers.download import fetch_checkpoint
from classifiers.weights import fit, read_state


def zoo_names() -> tuple[str, ...]:
    """Torchvision's names of all that can be loaded."""
    return tuple(entry.name for entry in ARCHITECTURES)


def load_zoo(entry: Architecture, *, device: torch.device, progress: Progress | None = None) -> Classifier:
    """The classifier, its weights downloaded into torch.hub's folder on first use.

    Raises:
        ClassifierError: no network, wrong checksum, no space, or no usable torchvision.
    """
    weights = entry.weights()
    path, digest = fetch_checkpoint(weights.url, entry.title, progress)
    labels = weights.meta["categories"]
    network = entry.build(len(labels))
    what = f"The weight file of {entry.title}"
    fit(network, read_state(path, what), what, labels=len(labels), ignored=entry.training_only)
    network, stage, head = entry.parts(network)
    size, crop_share = entry.size_and_crop_share()
    return Classifier(
        entry.name,
        network,
        labels,
        identity=f"{entry.name}:{digest}",
        mean=entry.mean,
        std=entry.std,
        working_size=size,
        crop_share=crop_share,
        stage=stage,
        head=head,
        saliency="gradient",
        smallest_size=max(weights.meta["min_size"]),
    ).to(device)
