"""Every defense on one photo, clean and attacked: which of them would have saved it, and at what price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses import Defense, defend
from evaluation.one_photo.story import Answer, Seen
from explain import Memo, logits, remembering

_MEMO_BYTES = 48_000_000

On = Literal["clean", "attacked"]
CellOutcome = Literal["rejected", "right", "wrong", "unsure"]
_OUTCOMES: dict[Answer, CellOutcome] = {
    "same": "right",
    "same, unsure now": "unsure",
    "same, unsure before": "unsure",
    "another": "wrong",
    "rejected": "rejected",
}


@dataclass(frozen=True, eq=False)
class Cell:
    """One defense on one picture.

    Attributes:
        defense: its name; "none" for the picture as it is.
        on: which picture.
        seen: what the classifier sees and says behind the defense.
        source: number of the label on the clean photo, which counts as right.
        against: number of the attack's label; None where there is none.
    """

    defense: str
    on: On
    seen: Seen
    source: int
    against: int | None

    @property
    def label(self) -> str:
        """What the classifier says; "" where the defense rejects the photo."""
        return "" if self.seen.rejected else self.seen.top[0].label

    @property
    def probability(self) -> float:
        """Of the likeliest label, also where the photo is rejected."""
        return self.seen.top[0].probability

    @property
    def true(self) -> float:
        """Probability of the label on the clean photo."""
        return float(self.seen.probabilities[self.source])

    @property
    def target(self) -> float | None:
        """Probability of the attack's label; None where there is none."""
        return None if self.against is None else float(self.seen.probabilities[self.against])

    @property
    def right(self) -> bool:
        """Whether the label on the clean photo comes out."""
        return not self.seen.rejected and self.seen.label == self.source

    @property
    def outcome(self) -> CellOutcome:
        """What became of the photo; right without being sure, now or of the clean photo, is unsure."""
        return _OUTCOMES[self.seen.answer(self.source)]


@torch.no_grad()
def compare(
    clean: Tensor,
    attacked: Tensor | None,
    classifier: Classifier,
    defenses: Mapping[str, Defense],
    target: int | None = None,
    through: Mapping[str, Tensor] | None = None,
) -> Iterator[Cell]:
    """Cell by cell: first the pictures as they are, then each defense on the clean and on the attacked photo.

    Args:
        clean: (1, 3, H, W) in [0, 1]; what the classifier says of it is held to be right.
        attacked: the same photo with an attack in it, or None.
        classifier: asked by the defenses, and for the verdicts.
        defenses: by name, in the order of the cells.
        target: number of the label that the attack is after.
        through: name of a defense -> the photo that an attacker made who knows it, in place of ``attacked``.
    """
    first = Seen.of(clean, logits(clean, classifier), classifier)
    pictures: dict[On, Tensor] = {"clean": clean}
    if attacked is not None:
        pictures["attacked"] = attacked
    for on, x in pictures.items():
        seen = Seen.of(x, logits(x, classifier), classifier, first)
        yield _measured(Cell("none", on, seen, first.label, target))
    for name, defense in defenses.items():
        for on, picture in pictures.items():
            x = (through or {}).get(name, picture) if on == "attacked" else picture
            # A memory of its own: what another defense has asked already would look free.
            with remembering(Memo(_MEMO_BYTES)):
                outcome = defend(defense, x, classifier)
            yield _measured(Cell(name, on, Seen.behind(outcome, classifier, first), first.label, target))


def _measured(cell: Cell) -> Cell:
    """The cell with its similarities worked out, where the device is at hand."""
    _ = cell.seen.ssim, cell.seen.psnr
    return cell
