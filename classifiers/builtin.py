"""The classifiers that come with Unfool: nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from classifiers.base import Classifier, ClassifierError
from classifiers.network import build, merge_norms
from classifiers.weights import fit, read_state, sha256

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILTIN = "builtin"
DEFAULT = "builtin-vgg"
"""The better one to show what patches do; where it is not installed, ``BUILTIN``."""
ACRONYMS = ("vgg",)
_STEM = "classifier"
_ABSENT, _DAMAGED = "{} is not installed", "{} is damaged"


def builtin_names(assets: Path = ASSETS) -> tuple[str, ...]:
    """The default first; ``classifier.json`` is ``builtin``'s card, ``classifier-X.json`` ``builtin-X``'s."""
    others = sorted(card.stem for card in assets.glob(f"{_STEM}-*.json"))
    found = [BUILTIN, *(other.replace(_STEM, BUILTIN, 1) for other in others)]
    return tuple(sorted(found, key=lambda name: name != DEFAULT))


def read_card(name: str = BUILTIN, assets: Path = ASSETS) -> dict[str, Any]:
    """What is known of a built-in classifier: labels, recipe, accuracy, provenance, checksum.

    Raises:
        ClassifierError: the file is missing or broken.
    """
    file = assets / f"{_stem(name)}.json"
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise ClassifierError(f"{_called(name, _ABSENT)}: {file.name} is missing in {assets}") from None
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ClassifierError(f"{_called(name, _DAMAGED)}: {file.name} is no JSON object")
    return card


def builtin_title(name: str) -> str:
    """``Built-in`` for ``builtin``, ``Built-in VGG`` for ``builtin-vgg``, else ``Built-in hardened``."""
    own = name.removeprefix(BUILTIN).lstrip("-")
    return " ".join(["Built-in", own.upper() if own in ACRONYMS else own]).strip()


def weights_file(name: str = BUILTIN, assets: Path = ASSETS) -> Path:
    """Where a built-in classifier's weights are, as its training wrote them."""
    return assets / f"{_stem(name)}.safetensors"


def load_builtin(name: str = BUILTIN, *, device: torch.device, assets: Path = ASSETS) -> Classifier:
    """A built-in classifier, its weights checked against the card's checksum.

    Raises:
        ClassifierError: a file is missing, broken, or does not belong to the other.
    """
    card = read_card(name, assets)
    path = weights_file(name, assets)
    damaged = _called(name, _DAMAGED)
    try:
        digest = sha256(path)
    except OSError:
        raise ClassifierError(f"{_called(name, _ABSENT)}: {path.name} is missing in {assets}") from None
    if digest != card.get("sha256"):
        raise ClassifierError(f"{damaged}: {path.name} has not the checksum that {_stem(name)}.json names")
    try:
        options = card.get("options", {})
        with torch.device("meta"):
            network = build(
                card["architecture"], len(card["labels"]), card["widths"], card["depths"], options
            )
        fit(network, read_state(path, path.name), path.name, labels=len(card["labels"]))
        network.eval()
        merge_norms(network)
        classifier = Classifier(
            name,
            network,
            card["labels"],
            identity=f"{name}:{digest}",
            mean=card["mean"],
            std=card["std"],
            working_size=card["working_size"],
            stage=network.last_map,
            head=network.linear_head,
            saliency=card["saliency"],
            smallest_size=network.smallest_size,
        )
    except ClassifierError:
        raise
    except KeyError as error:
        raise ClassifierError(f"{damaged}: {_stem(name)}.json lacks {error}") from None
    except (TypeError, ValueError, IndexError, RuntimeError):
        raise ClassifierError(f"{damaged}: a value in {_stem(name)}.json is of the wrong kind") from None
    return classifier.to(device)


def _stem(name: str) -> str:
    return name.replace(BUILTIN, _STEM, 1)


def _called(name: str, sentence: str) -> str:
    return sentence.format("The built-in classifier" if name == BUILTIN else builtin_title(name))
