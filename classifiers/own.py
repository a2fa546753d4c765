"""A visitor's own classifier: an architecture by name, a state-dict file, a label file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from classifiers.architectures import ARCHITECTURES, find_architecture
from classifiers.base import Classifier, ClassifierError
from classifiers.device import pick_device
from classifiers.labels import read_labels
from classifiers.network import ResidualNet
from classifiers.timm_zoo import OFFERED, find_timm, is_timm
from classifiers.weights import State, fit, read_state, sha256

RESIDUAL = "unfool residual"
"""The built-in network's architecture, as trained by ``training/train_classifier.py``."""
_RESIDUAL_MEAN, _RESIDUAL_STD, _RESIDUAL_SIZE = (0.45,) * 3, (0.25,) * 3, 192


def architectures() -> tuple[str, ...]:
    """The architectures that are offered; ``own`` knows all of timm's behind ``timm/``."""
    return RESIDUAL, *(entry.name for entry in ARCHITECTURES), *OFFERED


def own(
    architecture: str,
    weights: bytes | Path,
    labels: bytes | Path,
    *,
    name: str | None = None,
    device: str | torch.device | None = None,
    working_size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Classifier:
    """The classifier in a visitor's files.

    Args:
        architecture: one of ``architectures()``, or any of timm's behind ``timm/``.
        weights: a state dict as PyTorch (.pt, .pth) or safetensors file.
        labels: one label per line, or a JSON list.
        name: what doors call it; ``own <architecture>`` by default.
        device: as for ``pick_device``.
        working_size: side in px; that of the architecture's official weights by default.
        mean: of the normalisation it was trained with, per channel; the architecture's by default.
        std: likewise.

    Raises:
        ClassifierError: files that cannot be read or do not fit each other.
    """
    target = pick_device(device)
    mean, std = _three_numbers(mean, "mean"), _three_numbers(std, "std")
    if std and min(std) <= 0:
        raise ClassifierError("The std of a classifier is three numbers over 0")
    words = read_labels(labels)
    what = "The weight file"
    network: nn.Module
    stage: nn.Module
    head: nn.Linear | None
    stand_in, crop_share = "", 1.0
    if architecture == RESIDUAL:
        state = read_state(weights, what)
        residual, size, smallest = _residual(state, len(words)), _RESIDUAL_SIZE, 1
        fit(residual, state, what, labels=len(words))
        network, stage, head = residual, residual.features, residual.head
        mean, std = mean or _RESIDUAL_MEAN, std or _RESIDUAL_STD
    elif is_timm(architecture):
        one = find_timm(architecture)
        network, stage, head, stand_in = one.parts(one.filled(weights, what, len(words)))
        size, crop_share, smallest = one.size, one.facts.crop_pct, 1
        mean, std = mean or tuple(one.facts.mean), std or tuple(one.facts.std)
    else:
        entry = find_architecture(architecture)
        if entry is None:
            raise ClassifierError(
                f"The architecture is one of {', '.join(architectures())}, not {architecture!r}"
            )
        size, crop_share = entry.size_and_crop_share()
        smallest = max(entry.weights().meta["min_size"])
        network = entry.build(len(words))
        fit(network, read_state(weights, what), what, labels=len(words), ignored=entry.training_only)
        network, stage, head = entry.parts(network)
        mean, std = mean or entry.mean, std or entry.std
    name = name or f"own {architecture}"
    return Classifier(
        name,
        network,
        words,
        identity=f"{name}:{_digest(weights, words, mean, std)}",
        mean=mean,
        std=std,
        working_size=working_size or size,
        crop_share=crop_share,
        stage=stage,
        head=head,
        smallest_size=smallest,
        stand_in=stand_in,
    ).to(target)


def _residual(state: State, labels: int) -> ResidualNet:
    """The residual network that the names and shapes in ``state`` tell of, on the meta device."""
    widths: list[int] = []
    depths: list[int] = []
    matches = [re.match(r"features\.(\d{1,4})\.first\.0\.weight$", name) for name in state]
    blocks = sorted(int(match[1]) for match in matches if match)
    for number in blocks:
        strided = f"features.{number}.shortcut.1.0.weight" in state  # behind the pooling of a strided block
        if strided or not widths:
            shape = state[f"features.{number}.first.0.weight"].shape
            widths.append(shape[0] if shape else 0)
            depths.append(0)
        depths[-1] += 1
    if not 0 < len(blocks) <= 200 or min(widths) < 2 or max(widths) > 8192:
        raise ClassifierError(
            f"The weight file does not fit the architecture: it holds no {RESIDUAL} network"
        )
    with torch.device("meta"):
        return ResidualNet(labels, widths, depths)


def _three_numbers(values: Sequence[float] | None, what: str) -> tuple[float, ...] | None:
    if values is None:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not torch.tensor(numbers).isfinite().all():
        raise ClassifierError(f"The {what} of a classifier is three numbers, not {values!r}")
    return numbers


def _digest(weights: bytes | Path, labels: Sequence[str], mean: Sequence[float], std: Sequence[float]) -> str:
    """Checksum of all that decides its predictions."""
    return hashlib.sha256(
        repr((sha256(weights), tuple(labels), tuple(mean), tuple(std))).encode()
    ).hexdigest()
