"""Weights with a card: two files of one name, as a training wrote them, or a package's and their card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifiers.weights import sha256


@dataclass(frozen=True)
class CardedWeights:
    """Weights as ``STEM.safetensors``, and ``STEM.json``, their card, a JSON object that says what they are.

    Weights that a package brings lie ``elsewhere``; their card is ours all the same.

    Attributes:
        folder: where both files are.
        stem: their name without the ending.
        title: what sentences call the network, as "The denoiser pa-filt".
        error: the class of everything that is raised; each message is one sentence for the visitor.
        elsewhere: the file of weights, where it is not the one beside the card.
    """

    folder: Path
    stem: str
    title: str
    error: type[ValueError] = ValueError
    elsewhere: Path | None = None

    @property
    def weights(self) -> Path:
        """The file of weights; it need not be there."""
        return self.elsewhere or self.folder / f"{self.stem}.safetensors"

    @property
    def card(self) -> Path:
        """The file of the card; it need not be there."""
        return self.folder / f"{self.stem}.json"

    @property
    def installed(self) -> bool:
        """Whether both files are there."""
        return self.weights.is_file() and self.card.is_file()

    def read_card(self) -> dict[str, Any]:
        """What is known of the network.

        Raises:
            error: the file is missing or holds no JSON object.
        """
        try:
            card = json.loads(self.card.read_text(encoding="utf-8"))
        except OSError:
            raise self._absent(self.card) from None
        except ValueError:
            card = None
        if not isinstance(card, dict):
            raise self.damaged(f"{self.card.name} is no JSON object")
        return card

    def checked_digest(self, card: dict[str, Any]) -> str:
        """The weights' sha256, hexadecimal, which is the one on ``card``.

        Raises:
            error: the weights are missing or are not those that the card describes.
        """
        try:
            digest = sha256(self.weights)
        except OSError:
            raise self._absent(self.weights) from None
        if digest != card.get("sha256"):
            raise self.damaged(f"{self.weights.name} has not the checksum that {self.card.name} names")
        return digest

    def damaged(self, reason: object) -> ValueError:
        """The error that says why the files are of no use."""
        return self.error(f"{self.title} is damaged: {reason}")

    def _absent(self, file: Path) -> ValueError:
        return self.error(f"{self.title} is not installed: {file.name} is missing in {file.parent}")
