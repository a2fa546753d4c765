"""Every defense on one photo, clean and attacked: which of them would have saved it, and at what price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses import Defense
from evaluation.measures.metrics import ndcg, psnr, ssim
from evaluation.measures.timing import now
from explain import Memo, logits, remembering
from story import by_name

_MEMO_BYTES = 48_000_000

On = Literal["clean", "attacked"]


@dataclass(frozen=True, eq=False)
class Cell:
    """One defense on one picture.

    Attributes:
        defense: its name; "none" for the picture as it is. on: which picture. result: (1, 3, H, W) in [0, 1],
        what the classifier sees. label: what it says; "" where the defense rejects the photo. probability: of
        that label, or of the likeliest where the photo is rejected. true, target: probability of the label on
        the clean photo, and of the attack's (None where there is none). right: whether the label on the clean
        photo comes out. rejected: whether the defense accepts no label. ssim, psnr: likeness of the result to
        the clean photo; psnr is infinite for the same photo. ndcg: likeness of the ranking on the result to
        that on the clean photo. seconds: the defense alone, without the classifier's verdict.
    """

    defense: str
    on: On
    result: Tensor
    label: str
    probability: float
    true: float
    target: float | None
    right: bool
    rejected: bool
    ssim: float
    psnr: float
    ndcg: float
    seconds: float

    @property
    def outcome(self) -> str:
        """A word for it: rejected, right or wrong."""
        return "rejected" if self.rejected else "right" if self.right else "wrong"


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
    expected = logits(clean, classifier).softmax(1)
    pictures: dict[On, Tensor] = {"clean": clean}
    if attacked is not None:
        pictures["attacked"] = attacked
    for on, x in pictures.items():
        yield _cell("none", on, x, clean, classifier, expected, target, rejected=False, seconds=0.0)
    for name, defense in defenses.items():
        for on, picture in pictures.items():
            x = (through or {}).get(name, picture) if on == "attacked" else picture
            # A memory of its own: what another defense has asked already would look free.
            with remembering(Memo(_MEMO_BYTES)):
                began = now(classifier.device)
                steps = defense.steps(x, classifier)
                decision = defense.decision(steps, classifier)
                seconds = now(classifier.device) - began
            rejected = decision is not None and int(decision.labels[0]) < 0
            result = by_name(steps, "result").map
            yield _cell(
                name, on, result, clean, classifier, expected, target, rejected=rejected, seconds=seconds
            )


def _cell(
    name: str,
    on: On,
    result: Tensor,
    clean: Tensor,
    classifier: Classifier,
    expected: Tensor,
    target: int | None,
    *,
    rejected: bool,
    seconds: float,
) -> Cell:
    found = logits(result, classifier).softmax(1)
    probabilities = found[0]
    true, label = int(expected.argmax()), int(probabilities.argmax())
    return Cell(
        defense=name,
        on=on,
        result=result,
        label="" if rejected else classifier.labels[label],
        probability=float(probabilities[label]),
        true=float(probabilities[true]),
        target=None if target is None else float(probabilities[target]),
        right=label == true and not rejected,
        rejected=rejected,
        ssim=ssim(clean, result),
        psnr=psnr(clean, result),
        ndcg=ndcg(expected, found).item(),
        seconds=seconds,
    )
