"""A ready-made patch, learned once over many photos, that is only pasted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import safetensors.torch
import torch.nn.functional as F
from torch import Tensor, nn

from attacks.base import Trail
from attacks.placement import PatchAttack, pasted
from ops.coding import from_bytes
from ops.placing import placed
from story import param
from story.param import AUTO

FOLDER = Path(__file__).parents[1] / "assets" / "patches"


@dataclass(frozen=True)
class PatchCard:
    """What ``training.train_patch`` wrote beside a patch, as far as pasting needs it.

    Attributes:
        name: file name without its ending; the parameter ``patch``.
        target: the label that the patch makes the classifier say.
        share: of the photo's area, as trained.
        classifier: identity of the classifier it was trained on.
        sha256: of the patch's file.
        everything: the whole card: kind, place, recipe, provenance, shares of unseen photos fooled.
    """

    name: str
    target: str
    share: float
    classifier: str
    sha256: str
    everything: dict[str, Any]

    @property
    def for_every_place(self) -> bool:
        """Whether it was trained for every place on the photo; else for the one that the card names."""
        return bool(self.everything["kind"] == "adversarial-patch")

    @property
    def place(self) -> str:
        """What it was trained for: "top right corner", "left edge" or "middle"; "" where that is anywhere."""
        return "" if self.for_every_place else _place(self.everything["place"])

    @property
    def title(self) -> str:
        """Target, size and place in a few words: "golf ball, 2.2 %, one corner"."""
        spot = self.place.rpartition(" ")[2]
        where = "every place" if not spot else "the middle" if spot == "middle" else f"one {spot}"
        return f"{self.target}, {100 * self.share:g} %, {where}"


def _place(centre: Mapping[str, float]) -> str:
    """Where ``x`` and ``y``, shares of the photo's sides, lie: a corner, an edge or the middle."""
    rows, columns = ("top", "", "bottom"), ("left", "", "right")
    row, column = rows[min(int(3 * centre["y"]), 2)], columns[min(int(3 * centre["x"]), 2)]
    if row and column:
        return f"{row} {column} corner"
    return f"{row or column} edge" if row or column else "middle"


@dataclass(frozen=True, eq=False)
class Patch:
    """A patch that can be put on any photo.

    Attributes:
        pixels: (3, S, S) in [0, 1].
        share: of the photo's area, at its own size.
        target: the label that it is for; None where nobody knows.
    """

    pixels: Tensor
    share: float
    target: str | None


def read_cards(folder: Path) -> dict[str, PatchCard]:
    """The cards in ``folder`` by name; none where there is no folder."""
    cards = {}
    for file in sorted(folder.glob("*.json")):
        card = json.loads(file.read_text(encoding="utf-8"))
        facts = {key: card[key] for key in ("target", "share", "classifier", "sha256")}
        cards[file.stem] = PatchCard(name=file.stem, **facts, everything=card)
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
    return from_bytes(safetensors.torch.load(data)["patch"])


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
        open=True,
        help="which ready-made patch, named after the label that it makes a classifier say; auto: the "
        "smallest of those that fool this classifier most",
    )
    scale: float = param(
        1.0,
        low=0.25,
        high=2,
        step=0.05,
        unit="× trained side",
        help="side of the patch against the side in training",
    )
    rotation: float = param(
        0.0, low=-180, high=180, step=1, unit="°", help="how far the patch is turned, counter-clockwise"
    )
    OWN: ClassVar[Mapping[str, Patch]] = {}

    def fitted(self, model: nn.Module) -> Self:
        """For ``auto``, the patch that fools ``model`` most of those learned on it; else of all."""
        if self.patch != AUTO:
            return self
        return replace(self, patch=_most_fooling(getattr(model, "identity", "")))

    @property
    def card(self) -> PatchCard | None:
        """The patch's card, None for one's own; for ``auto``, that of the one that fools its classifier most.

        Raises:
            ValueError: no such patch is shipped.
        """
        return None if self.patch in self.OWN else card_of(self.patch)

    @property
    def pasted_patch(self) -> Patch:
        """The patch itself.

        Raises:
            ValueError: no such patch is shipped.
        """
        return self.OWN[self.patch] if self.patch in self.OWN else shipped(self.patch)

    @property
    def target_label(self) -> str | None:
        """The label that the patch makes its classifier say; None where nobody knows."""
        return (self.card or self.pasted_patch).target

    @property
    def covers(self) -> float:
        """The patch's own share, scaled."""
        return (self.card or self.pasted_patch).share * self.scale**2

    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """One pasting."""
        del y, model, trail
        return self._placed(x, self.pasted_patch.pixels)[0]

    def mask(self, x: Tensor) -> Tensor:
        """(B, 1, H, W), 1 where any of the patch lies."""
        if self.rotation == 0:
            return super().mask(x)
        return (self._placed(x, x.new_zeros(3, 1, 1))[1] > 0).to(x)

    def _placed(self, x: Tensor, patch: Tensor) -> tuple[Tensor, Tensor]:
        """Photos with ``patch`` (3, S, S), and how much of each pixel it covers, (B, 1, H, W)."""
        box = self.box(x.shape[2], x.shape[3])
        patch = resized(patch, box.side).to(x)
        if self.rotation == 0:
            return pasted(x, box, patch), super().mask(x)
        middle = x.new_tensor([box.top + box.side / 2, box.left + box.side / 2]).expand(len(x), 2)
        side, turned = x.new_full((len(x),), box.side), x.new_full((len(x),), self.rotation)
        return placed(x, patch, middle, side, turned)


def card_of(name: str, classifier: str = "") -> PatchCard:
    """The card of a patch that ships; for ``auto``, that of the one that fools its classifier most.

    Args:
        name: of the patch.
        classifier: identity of the one for which ``auto`` chooses, among its own patches if it has any.

    Raises:
        ValueError: there is none of that name.
    """
    name = _most_fooling(classifier) if name == AUTO else name
    if name not in PATCHES:
        raise ValueError(f"there is no patch {name}: python -m training.train_patch makes one")
    return PATCHES[name]


def shipped(name: str) -> Patch:
    """A patch that ships.

    Raises:
        ValueError: there is none of that name, or its file is not what its card says.
    """
    card = card_of(name)
    pixels = _read_patch_once(FOLDER / f"{card.name}.safetensors", card.sha256)
    return Patch(pixels, card.share, card.target)


def with_patches(own: Mapping[str, Patch]) -> type[UniversalPatch]:
    """The attack with patches of one's own, by name, beside those that ship."""
    ready = (AUTO, *PATCHES) if PATCHES else ()

    @dataclass(frozen=True)
    class WithOwn(UniversalPatch):
        OWN: ClassVar[Mapping[str, Patch]] = own
        patch: str = param(
            (*ready, *own)[0],
            choices=(*ready, *own),
            open=True,
            help="which patch, yours or a ready-made one; auto: the ready-made one that fools this "
            "classifier most",
        )

    return WithOwn


def trained_on(classifier: str) -> list[PatchCard]:
    """The patches that ship and were trained on the classifier of that identity.

    Those for one place first, then by size.
    """
    cards = [card for card in PATCHES.values() if card.classifier == classifier]
    return sorted(cards, key=lambda card: (card.for_every_place, card.share, card.title, card.name))


def _most_fooling(classifier: str) -> str:
    """Name of the patch that fools most photos, of those learned on ``classifier`` if there are any.

    Of equals the smallest.
    """
    own = [card for card in PATCHES.values() if card.classifier == classifier] or list(PATCHES.values())
    return max(own, key=lambda card: (card.everything["val"]["fooled"], -card.share)).name if own else AUTO


def resized(patch: Tensor, side: int) -> Tensor:
    """``patch`` (3, S, S) in [0, 1] -> (3, side, side); bilinear with antialias, itself at its own side."""
    if patch.shape[-1] == side:
        return patch
    return F.interpolate(patch[None], (side, side), mode="bilinear", antialias=True)[0].clamp(0, 1)
