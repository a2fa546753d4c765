"""What was fitted on a classifier: a folder of cards, one for each that it was fitted on."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from classifiers.base import Classifier


def card_file(folder: Path, name: str) -> Path:
    """Where the card of what was fitted on the classifier ``name`` lies in ``folder``."""
    return folder / f"{name.replace('/', '-')}.json"


def fitted_card(folder: Path, model: Classifier) -> dict[str, Any] | None:
    """The card in ``folder`` of what was fitted on ``model``, or what stands in for it; None without cards.

    Where nothing was fitted on ``model``, the fit on photos of the most similar size stands in, for windows
    and patches are measured in pixels; of equals the first by name.
    """
    cards = _cards(folder)
    own = [card for card in cards if card["classifier"] == model.identity]
    nearest = sorted(cards, key=lambda card: abs(card["photo_side"] - model.working_size))
    return next(iter(own or nearest), None)


@lru_cache(maxsize=8)
def _cards(folder: Path) -> tuple[dict[str, Any], ...]:
    """All cards in ``folder``, by name.

    Raises:
        ValueError: one of them does not say which classifier it belongs to.
    """
    cards = []
    for file in sorted(folder.glob("*.json")):
        try:
            card = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(card["classifier"], str) or not isinstance(card["photo_side"], int):
                raise TypeError
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{file.name} in {folder.name} names no classifier and size of photos") from None
        cards.append(card)
    return tuple(cards)
