"""A ready-made patch, learned once over many photos, that is only pasted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import safetensors.torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.base import Trail
from attacks.placement import PatchAttack, pasted
from story import param

FOLDER = Path(__file__).parents[1] / "assets" / "patches"
AUTO = "auto"


@dataclass(frozen=True)
class PatchCard:
    """What ``training.train_patch`` wrote beside a patch, as far as pasting needs it.

    Attributes:
        name: file name without its ending; the parameter ``patch``.
        target: the label that the patch makes the classifier say.
        share: of the photo's area, as trained.
        classifier: identity of the classifier it was trained on.
        sha256: of the patch's file.
        everything: the whole card: recipe, provenance, share of validation photos fooled.
    """

    name: str
    target: str
    share: float
    classifier: str
    sha256: str
    everything: dict[str, Any]


def read_cards(folder: Path) -> dict[str, PatchCard]:
    """The cards in ``folder`` by name; none where there is no folder."""
    cards = {}
    for file in sorted(folder.glob("*.json")):
        card = json.loads(file.read_text(encoding="utf-8"))
        known = {key: card[key] for key in ("target", "share", "classifier", "sha256")}
        cards[file.stem] = PatchCard(name=file.stem, **known, everything=card)
    return cards


def read_patch(file: Path, sha256: str) -> Tensor:
    """A patch (3, side, side) in [0, 1] from its safetensors file, where it lies as uint8.

    Raises:
        ValueError: the file is missing, or is not the one that its card describes.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ValueError(f"the patch {file.name} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"the patch {file.name} is not the one that its card describes (wrong checksum)")
    return safetensors.torch.load(data)["patch"].float() / 255


_read_patch_once = lru_cache(maxsize=8)(read_patch)

PATCHES = read_cards(FOLDER)
"""The patches that ship; the attack is registered when there is at least one."""


@dataclass(frozen=True)
class UniversalPatch(PatchAttack):
    """Pastes a patch that fools one classifier on most photos; neither ``y`` nor the model is asked.

    Source: Karmon et al. 2018 (universal patches); Brown et al. 2017, "Adversarial Patch".
    """

    title = "Universal patch"
    source = "Karmon et al. 2018"
    targeted = "none"

    patch: str = param(
        AUTO,
        choices=(AUTO, *PATCHES),
        help="which ready-made patch, named after the label that it makes a classifier say; auto: the one "
        "that fools this classifier most",
    )
    scale: float = param(
        1.0,
        low=0.25,
        high=2,
        step=0.05,
        unit="× trained side",
        help="side of the patch against the side in training",
    )

    def fitted(self, model: nn.Module) -> Self:
        """For ``auto``, the patch that fools ``model`` most of those learned on it; else of all."""
        if self.patch != AUTO:
            return self
        return replace(self, patch=_most_fooling(getattr(model, "identity", "")))

    @property
    def card(self) -> PatchCard:
        """The patch's card; for ``auto``, that of the patch that fools its own classifier most.

        Raises:
            ValueError: no such patch is shipped.
        """
        name = _most_fooling("") if self.patch == AUTO else self.patch
        if name not in PATCHES:
            raise ValueError(f"there is no patch {name}: python -m training.train_patch makes one")
        return PATCHES[name]

    @property
    def target_label(self) -> str:
        """The label that the patch makes its classifier say."""
        return self.card.target

    @property
    def covers(self) -> float:
        """The card's share, scaled."""
        return self.card.share * self.scale**2

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """One pasting."""
        del y, model, trail
        box = self.box(x.shape[2], x.shape[3])
        patch = _read_patch_once(FOLDER / f"{self.card.name}.safetensors", self.card.sha256)
        return pasted(x, box, resized(patch, box.side).to(x))


def _most_fooling(classifier: str) -> str:
    """Name of the patch that fools most photos, of those learned on ``classifier`` if there are any."""
    own = [card for card in PATCHES.values() if card.classifier == classifier] or list(PATCHES.values())
    return max(own, key=lambda card: card.everything["val"]["fooled"]).name if own else AUTO


def resized(patch: Tensor, side: int) -> Tensor:
    """``patch`` (3, S, S) in [0, 1] -> (3, side, side); bilinear with antialias, itself at its own side."""
    if patch.shape[-1] == side:
        return patch
    return F.interpolate(patch[None], (side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)
