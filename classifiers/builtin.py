"""The classifiers that come with Unfool: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from classifiers.base import Classifier, ClassifierError
from classifiers.card import CardedWeights
from classifiers.network import build, merge_norms
from classifiers.weights import fit, read_state

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILTIN = "builtin"
DEFAULT = "builtin-vgg"
"""The better one to show what patches do; where it is not installed, ``BUILTIN``."""
ACRONYMS = ("vgg",)
_STEM = "classifier"


def builtin_names(assets: Path = ASSETS) -> tuple[str, ...]:
    """The default first; ``classifier.json`` is ``builtin``'s card, ``classifier-X.json`` ``builtin-X``'s."""
    others = sorted(card.stem for card in assets.glob(f"{_STEM}-*.json"))
    names = [BUILTIN, *(other.replace(_STEM, BUILTIN, 1) for other in others)]
    return tuple(sorted(names, key=lambda name: name != DEFAULT))


def read_card(name: str = BUILTIN, assets: Path = ASSETS) -> dict[str, Any]:
    """What is known of a built-in classifier: labels, recipe, accuracy, provenance, checksum.

    Raises:
        ClassifierError: the file is missing or broken.
    """
    return builtin_files(name, assets).read_card()


def builtin_title(name: str) -> str:
    """``Built-in`` for ``builtin``, ``Built-in VGG`` for ``builtin-vgg``, else ``Built-in hardened``."""
    own = name.removeprefix(BUILTIN).lstrip("-")
    return " ".join(["Built-in", own.upper() if own in ACRONYMS else own]).strip()


def builtin_files(name: str = BUILTIN, assets: Path = ASSETS) -> CardedWeights:
    """Where a built-in classifier's weights and card are, as its training wrote them."""
    title = "The built-in classifier" if name == BUILTIN else builtin_title(name)
    return CardedWeights(assets, name.replace(BUILTIN, _STEM, 1), title, ClassifierError)


def load_builtin(name: str = BUILTIN, *, device: torch.device, assets: Path = ASSETS) -> Classifier:
    """A built-in classifier, its weights checked against the card's checksum.

    Raises:
        ClassifierError: a file is missing, broken, or does not belong to the other.
    """
    files = builtin_files(name, assets)
    card = files.read_card()
    digest = files.checked_digest(card)
    try:
        options = card.get("options", {})
        with torch.device("meta"):
            network = build(
                card["architecture"], len(card["labels"]), card["widths"], card["depths"], options
            )
        state = read_state(files.weights, files.weights.name)
        fit(network, state, files.weights.name, labels=len(card["labels"]))
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
        raise files.damaged(f"{files.card.name} lacks {error}") from None
    except (TypeError, ValueError, IndexError, RuntimeError):
        raise files.damaged(f"a value in {files.card.name} is of the wrong kind") from None
    return classifier.to(device)
