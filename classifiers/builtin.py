"""The classifier that comes with Unfool: nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from classifiers.base import Classifier, ClassifierError
from classifiers.network import ResidualNet
from classifiers.weights import fit, read_state, sha256

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILTIN = "builtin"
_CARD, _WEIGHTS = "classifier.json", "classifier.safetensors"
_ABSENT, _DAMAGED = "The built-in classifier is not installed", "The built-in classifier is damaged"


def read_card(assets: Path = ASSETS) -> dict[str, Any]:
    """What is known of the built-in classifier: labels, recipe, accuracy, provenance, checksum.

    Raises:
        ClassifierError: the file is missing or broken.
    """
    try:
        card = json.loads((assets / _CARD).read_text(encoding="utf-8"))
    except OSError:
        raise ClassifierError(f"{_ABSENT}: {_CARD} is missing in {assets}") from None
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ClassifierError(f"{_DAMAGED}: {_CARD} is no JSON object")
    return card


def load_builtin(*, device: torch.device, assets: Path = ASSETS) -> Classifier:
    """The built-in classifier, its weights checked against the card's checksum.

    Raises:
        ClassifierError: a file is missing, broken, or does not belong to the other.
    """
    card = read_card(assets)
    path = assets / _WEIGHTS
    try:
        digest = sha256(path)
    except OSError:
        raise ClassifierError(f"{_ABSENT}: {_WEIGHTS} is missing in {assets}") from None
    if digest != card.get("sha256"):
        raise ClassifierError(f"{_DAMAGED}: {_WEIGHTS} has not the checksum that {_CARD} names")
    try:
        with torch.device("meta"):
            network = ResidualNet(len(card["labels"]), card["widths"], card["depths"])
        fit(network, read_state(path, _WEIGHTS), _WEIGHTS, labels=len(card["labels"]))
        classifier = Classifier(
            BUILTIN,
            network,
            card["labels"],
            identity=f"{BUILTIN}:{digest}",
            mean=card["mean"],
            std=card["std"],
            working_size=card["working_size"],
            stage=network.features,
            head=network.head,
            saliency=card["saliency"],
        )
    except ClassifierError:
        raise
    except KeyError as error:
        raise ClassifierError(f"{_DAMAGED}: {_CARD} lacks {error}") from None
    except (TypeError, ValueError, IndexError, RuntimeError):
        raise ClassifierError(f"{_DAMAGED}: a value in {_CARD} is of the wrong kind") from None
    return classifier.to(device)
