"""The denoisers that come with Unfool: which there are, and their weights."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from classifiers.base import ClassifierError
from classifiers.card import CardedWeights
from classifiers.weights import fit, read_state
from denoisers.config import VARIANTS, DenoiserConfig
from denoisers.network import Denoiser

FOLDER = Path(__file__).resolve().parent.parent / "assets" / "advfilter"


class DenoiserError(ValueError):
    """A denoiser that cannot be had; the message is one sentence for the visitor."""


def files_of(variant: str, folder: Path | None = None) -> CardedWeights:
    """Where a denoiser's weights and card are: in ``folder``, by default ``FOLDER``."""
    return CardedWeights(folder or FOLDER, variant, f"The denoiser {variant}", DenoiserError)


def installed(folder: Path | None = None) -> tuple[str, ...]:
    """The variants whose weights and card are in ``folder``, by default ``FOLDER``."""
    return tuple(variant for variant in VARIANTS if files_of(variant, folder).installed)


def read_card(variant: str, folder: Path | None = None) -> dict[str, Any]:
    """What is known of a denoiser: configuration, recipe, figures, provenance, checksum.

    Raises:
        DenoiserError: the file is missing or broken.
    """
    return files_of(variant, folder).read_card()


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
    files = files_of(variant, folder)
    card = files.read_card()
    files.checked_digest(card)
    try:
        config = DenoiserConfig.read(card["network"])
        with torch.device("meta"):
            network = Denoiser(config)
        state = read_state(files.weights, files.weights.name)
        fit(network, state, files.weights.name, labels=config.outputs)
    except ClassifierError as error:
        raise files.damaged(error) from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise files.damaged("its card tells no network") from None
    network.requires_grad_(False).to(device, dtype)
    return network.to(memory_format=torch.channels_last)
