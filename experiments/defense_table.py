"""Every defense against every kind of attack: ``python -m experiments.defense_table --photos FOLDER``.

On photos that the classifier gets right: top-1 after each defense of the registry at its defaults, the share
that it rejects, mean SSIM and nDCG to the clean photo, and milliseconds per photo. A rejected photo counts as
wrong in "top-1"; "top-1 of accepted" leaves it out; SSIM and nDCG are those of its result.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attacks.base import Attack
from attacks.lavan import LaVAN
from attacks.noise import Noise
from attacks.pgd import PGD
from classifiers.base import Classifier
from defenses import DEFENSES, Defense, defend
from evaluation.many_photos.measuring import LabelledPhotos, attacked_by, command, in_parts, right_photos
from evaluation.measures.accuracy import judged, probabilities, share
from evaluation.measures.metrics import ndcg, ssim_each
from explain import Memo, remembering
from photos import Source
from story.table import markdown_table

CASES: dict[str, Attack] = {
    "noise σ 0.125": Noise(sigma=0.125),
    "noise σ 0.25": Noise(sigma=0.25),
    "noise σ 0.375": Noise(sigma=0.375),
    "PGD 2/255": PGD(eps=2 / 255),
    "PGD 8/255": PGD(eps=8 / 255),
    "LaVAN": LaVAN(),
}


@torch.no_grad()
def row(
    defense: Defense, classifier: Classifier, x: Tensor, photos: LabelledPhotos, expected: Tensor, name: str
) -> dict[str, float]:
    """What becomes behind ``defense`` of ``photos`` that are ``x`` (N, 3, H, W) by now.

    ``expected`` (N, labels) are the probabilities on the clean photos. ``name`` is the progress bar's.
    """

    def part(attacked: Tensor, clean: Tensor, likely: Tensor, labels: Tensor) -> dict[str, Tensor]:
        with remembering(Memo(512_000_000)):
            outcome = defend(defense, attacked, classifier)
        rows = {
            "right": outcome.labels == labels,
            "rejected": outcome.rejected,
            "ssim": ssim_each(clean, outcome.result),
            "ndcg": ndcg(likely, outcome.logits.softmax(1)),
            "seconds": torch.full((len(labels),), outcome.seconds / len(labels)),
        }
        return {column: values.cpu() for column, values in rows.items()}

    parts = in_parts(part, x, photos.x, expected, photos.y, model=classifier, name=name)
    columns = {column: torch.cat([one[column] for one in parts]) for column in parts[0]}
    accepted = ~columns["rejected"]
    return {
        "top-1": share(columns["right"]),
        "top-1 of accepted": share(columns["right"][accepted]) if accepted.any() else 0.0,
        "rejected": share(columns["rejected"]),
        "ssim": round(columns["ssim"].mean().item(), 3),
        "nDCG": round(columns["ndcg"].mean().item(), 3),
        "ms": float(f"{1000 * columns['seconds'].mean().item():.2g}"),
    }


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """A row for each case and defense; "none" is the photo as it is."""
    photos = right_photos(source, classifier, size, limit, seed)
    expected = probabilities(classifier, photos.x)
    rows: list[dict[str, Any]] = []
    for case, attack in {"clean": None, **CASES}.items():
        attacked = photos.x
        if attack is not None:
            goals = photos.goals(attack, len(classifier.labels), seed)
            attacked = attacked_by(attack, classifier, photos.x, goals, case)
        bare = judged(probabilities(classifier, attacked), expected, photos.y)
        rows.append({"attack": case, "defense": "none", **bare})
        for name, cls in DEFENSES.items():
            figures = row(cls(), classifier, attacked, photos, expected, f"{case}, {name}")
            rows.append({"attack": case, "defense": name, **figures})
    return {"photos": len(photos), "rows": rows}


def tables(figures: dict[str, Any]) -> str:
    """The figures as one table."""
    heads = ("attack", "defense", "top-1", "top-1 of accepted", "rejected", "ssim", "nDCG", "ms")
    return markdown_table([{head: row.get(head, "") for head in heads} for row in figures["rows"]])


if __name__ == "__main__":
    command(__doc__, measure, tables)
