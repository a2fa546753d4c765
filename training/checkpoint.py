"""What a training needs to go on, in one file: replaced whole, refused by a training that is not its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

FOLDER = Path.home() / ".cache" / "unfool"
"""Where checkpoints and attacked photos are kept, unless a command is given another place."""


class Resumable(Protocol):
    """Whatever can be stopped and continued."""

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs, as tensors and plain values."""

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken."""


class Checkpoint:
    """The file of one training.

    Args:
        file: where it is kept; its folder need not be there.
        owner: whose it is: the recipe, and whatever else decides what is learned, by name; plain values.
        option: the command's option that names the file, for the sentence that refuses another's.
    """

    def __init__(self, file: Path, owner: Mapping[str, Any], option: str = "--checkpoint") -> None:
        self.file = file
        self._owner = dict(owner)
        self._option = option
        self._saved = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it was last saved, or, before that, since this object was made."""
        return time.monotonic() - self._saved

    def save(self, state: Mapping[str, Any]) -> None:
        """Replaces the file in one go, so that it is whole whenever the training is killed."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        part = self.file.with_suffix(".part")
        torch.save({**state, **self._owner}, part)
        part.replace(self.file)
        self._saved = time.monotonic()

    def read(self, device: torch.device | str = "cpu") -> dict[str, Any] | None:
        """What was saved last, its tensors on ``device``; None where nothing was.

        Raises:
            ValueError: it belongs to another owner.
        """
        if not self.file.exists():
            return None
        state: dict[str, Any] = torch.load(self.file, map_location=device, weights_only=True)
        if any(name not in state or state.pop(name) != value for name, value in self._owner.items()):
            raise ValueError(
                f"the checkpoint {self.file} belongs to another recipe or classifier; "
                f"give another {self._option}"
            )
        return state

    def resume(self, training: Resumable, device: torch.device | str = "cpu") -> None:
        """Brings ``training`` to where it was saved last, if it was.

        Raises:
            ValueError: as ``read``.
        """
        state = self.read(device)
        if state is not None:
            training.load(state)
