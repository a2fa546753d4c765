"""The denoisers that come with Unfool: which there are, and their weights."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from classifiers.base import ClassifierError
from classifiers.weights import fit, read_state, sha256
from denoisers.config import VARIANTS, DenoiserConfig
from denoisers.network import Denoiser

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "advfilter"


class DenoiserError(ValueError):
    """A denoiser that cannot be had; the message is one sentence for the visitor."""


def installed(folder: Path | None = None) -> tuple[str, ...]:
    """The variants whose weights and card are in ``folder``, by default ``FOLDER``."""
    place = folder or FOLDER
    return tuple(
        variant
        for variant in VARIANTS
        if all((place / f"{variant}.{ending}").is_file() for ending in ("json", "safetensors"))
    )


def read_card(variant: str, folder: Path | None = None) -> dict[str, Any]:
    """What is known of a denoiser: configuration, recipe, figures, provenance, checksum.

    Raises:
        DenoiserError: the file is missing or broken.
    """
    file = (folder or FOLDER) / f"{variant}.json"
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise DenoiserError(f"The denoiser {variant} is not installed: {file.name} is missing") from None
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise DenoiserError(f"The denoiser {variant} is damaged: {file.name} is no JSON object")
    return card


def load(
    variant: str, *, device: torch.device, dtype: torch.dtype = torch.float32, folder: Path | None = None
) -> Denoiser:
    """A denoiser with frozen weights, checked against the card's checksum; the last few are kept.

    Raises:
        DenoiserError: a file is missing, broken, or does not belong to the other.
    """
    return _loaded(folder or FOLDER, variant, device, dtype)


@lru_cache(maxsize=16)
def _loaded(folder: Path, variant: str, device: torch.device, dtype: torch.dtype) -> Denoiser:
    card = read_card(variant, folder)
    file = folder / f"{variant}.safetensors"
    try:
        digest = sha256(file)
    except OSError:
        raise DenoiserError(f"The denoiser {variant} is not installed: {file.name} is missing") from None
    if digest != card.get("sha256"):
        raise DenoiserError(
            f"The denoiser {variant} is damaged: {file.name} has not the checksum on its card"
        )
    try:
        config = DenoiserConfig.read(card["network"])
        with torch.device("meta"):
            network = Denoiser(config)
        fit(network, read_state(file, file.name), file.name, labels=config.outputs)
    except ClassifierError as error:
        raise DenoiserError(f"The denoiser {variant} is damaged: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DenoiserError(f"The denoiser {variant} is damaged: its card tells no network") from None
    network.requires_grad_(False).to(device, dtype)
    return network.to(memory_format=torch.channels_last)
