"""Parameters that serve Heat and Blur: ``python -m experiments.heat_and_blur_parameters --photos FOLDER``.

The source's are not at hand. For each start of the relevance the search begins at ``BEGINNING`` and takes the
parameters in turn, each time the value whose mean over the clean photos and the attacks of
``heat_and_blur_table`` is best, until none changes. Best is the highest top-1, then the highest nDCG; the
clean photos count as much as one attack. σ_cold stays massive, which is what the source is about: left free,
it falls until hot and cold are the same, and the heat counts for nothing.

The photos on which parameters are chosen are not those on which the defense is judged: use another --seed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses import HeatAndBlur, defend
from evaluation.many_photos.measuring import command, in_parts, tell
from evaluation.measures.accuracy import probabilities
from evaluation.measures.metrics import ndcg
from experiments.heat_and_blur_table import pictures_of
from explain import STARTS, Memo, logits, remembering
from photos import Source
from story.table import markdown_table

VALUES: dict[str, tuple[float, ...]] = {
    "sigma_cold": (10.0, 15.0, 20.0),
    "sigma_hot": (0.0, 0.5, 1.0, 1.5),
    "gamma": (0.2, 0.5, 1.0, 2.0),
    "smoothing": (1.0, 2.0, 4.0, 8.0),
    "floor": (0.0, 0.1, 0.25, 0.5),
}
BEGINNING: dict[str, Any] = {
    "sigma_cold": 15.0,
    "sigma_hot": 0.0,
    "gamma": 1.0,
    "smoothing": 4.0,
    "floor": 0.0,
}
_ROUNDS = 3
_MEMO_BYTES = 2_000_000_000


@torch.no_grad()
def scores(
    classifier: Classifier, pictures: dict[str, Tensor], y: Tensor, defense: HeatAndBlur | None
) -> dict[str, float]:
    """Behind ``defense``: top-1 (%) by case, then "top-1" and "nDCG" as means over the cases."""
    expected = probabilities(classifier, pictures["clean"])
    shares: dict[str, float] = {}
    rankings = 0.0

    def behind(photos: Tensor) -> Tensor:
        scores = logits(photos, classifier) if defense is None else defend(defense, photos, classifier).logits
        return scores.softmax(1).cpu()

    for case, photos in pictures.items():
        likely = torch.cat(in_parts(behind, photos, model=classifier))
        shares[case] = 100 * (likely.argmax(1) == y).float().mean().item()
        rankings += ndcg(expected, likely).mean().item()
    return {
        **{case: round(share, 1) for case, share in shares.items()},
        "top-1": round(sum(shares.values()) / len(shares), 2),
        "nDCG": round(rankings / len(shares), 4),
    }


def searched(
    classifier: Classifier, pictures: dict[str, Tensor], y: Tensor, start: str
) -> list[dict[str, Any]]:
    """A row for the beginning, then one for each round in which something came out better."""

    @cache
    def of(defense: HeatAndBlur) -> dict[str, float]:
        return scores(classifier, pictures, y, defense)

    def better(defense: HeatAndBlur) -> tuple[float, float]:
        return of(defense)["top-1"], of(defense)["nDCG"]

    def row(defense: HeatAndBlur) -> dict[str, Any]:
        return {"start": start, **{name: getattr(defense, name) for name in VALUES}, **of(defense)}

    best = HeatAndBlur(start=start, **BEGINNING)
    rows = [row(best)]
    for _ in range(_ROUNDS):
        before = best
        for name, values in VALUES.items():
            # The present one first: it stays where another is only as good.
            best = max([best, *(_with(best, name, value) for value in values)], key=better)
        if best == before:
            break
        rows.append(row(best))
    return rows


def _with(defense: HeatAndBlur, name: str, value: float) -> HeatAndBlur:
    change: dict[str, Any] = {name: value}
    return replace(defense, **change)


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All rows, the first without a defense."""
    pictures, y = pictures_of(classifier, source, size=size, limit=limit, seed=seed)
    empty: dict[str, Any] = {"start": "no defense", **dict.fromkeys(VALUES, "")}
    rows = [{**empty, **scores(classifier, pictures, y, None)}]
    for start in STARTS:
        with remembering(Memo(_MEMO_BYTES)):
            new = searched(classifier, pictures, y, start)
        tell(new)
        rows += new
    return {"photos": len(y), "rows": rows}


def tables(figures: dict[str, Any]) -> str:
    """The figures as one table."""
    return markdown_table(figures["rows"])


if __name__ == "__main__":
    command(__doc__, measure, tables)
