"""What a training leaves behind in ``assets/``: weights, and the card that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

PHOTOS = "photos of Imagenette (ImageNet ILSVRC-2012), Caltech-101 and the Asirra cats and dogs"
"""What everything in ``assets/`` was learned from, as its card says."""


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in half precision, which is how weights are kept; whole numbers stay as they are."""
    return {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in state.items()
    }


def write_card(file: Path, card: Mapping[str, Any]) -> None:
    """``card`` as JSON, in one go; the folder is made if it is not there."""
    _write(file, (json.dumps(card, indent=1) + "\n").encode())


def write_weights(folder: Path, stem: str, weights: bytes, card: Mapping[str, Any]) -> None:
    """``STEM.safetensors`` and ``STEM.json``; ``card`` holds the checksum of ``weights`` as ``sha256``.

    What ``classifiers.card.CardedWeights`` reads.
    """
    _write(folder / f"{stem}.safetensors", weights)
    write_card(folder / f"{stem}.json", card)


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(content)
    part.replace(file)
