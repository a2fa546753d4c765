"""What Heat and Blur gives and costs: ``python -m evaluation.heat_and_blur_table --photos FOLDER``.

On photos that the classifier gets right, clean and attacked by FGSM, PGD and LaVAN (random target): top-1 and
mean nDCG without a defense, and with Heat and Blur for each start of the relevance over σ_cold, all else at
its defaults. On the clean photos this is what the defense costs. And by start, how far the clean photos' heat
survives: its mean correlation with the attacked photos' heat, beside that with another clean photo's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.base import Attack
from attacks.fgsm import FGSM
from attacks.lavan import LaVAN
from attacks.pgd import PGD
from classifiers.base import Classifier
from defenses import HeatAndBlur
from evaluation.heating import correlation
from evaluation.measuring import (
    attacked_by,
    command,
    in_batches,
    markdown,
    parts,
    probabilities,
    random_targets,
    right_photos,
    share,
)
from evaluation.metrics import ndcg
from explain import STARTS, Memo, remembering

CASES: dict[str, Attack] = {
    "FGSM 4/255": FGSM(eps=4 / 255),
    "PGD 2/255": PGD(eps=2 / 255),
    "LaVAN": LaVAN(),
}
COLD = (0.0, 2.0, 5.0, 10.0, 15.0, 20.0)
_MEMO_BYTES = 64_000_000


def judged(found: Tensor, expected: Tensor, y: Tensor) -> dict[str, float]:
    """Top-1 (%) and mean nDCG of probabilities (N, labels), by the clean photos' and by the labels (N,)."""
    return {
        "top-1": share(found.argmax(1) == y),
        "nDCG": round(ndcg(expected, found).mean().item(), 3),
    }


@torch.no_grad()
def after(classifier: Classifier, x: Tensor, start: str, name: str) -> dict[float, Tensor]:
    """By σ_cold, the probabilities (N, labels) on the defended photos; the relevance is asked for once."""
    found: dict[float, list[Tensor]] = {sigma: [] for sigma in COLD}
    for (photos,) in parts(x, name=name):
        with remembering(Memo(_MEMO_BYTES)):
            for sigma in COLD:
                defended = HeatAndBlur(start=start, sigma_cold=sigma)(photos, classifier)
                found[sigma].append(probabilities(classifier, defended))
    return {sigma: torch.cat(rows) for sigma, rows in found.items()}


def heat_of(classifier: Classifier, x: Tensor, start: str, name: str) -> Tensor:
    """The heat of every photo, (N, 1, H, W)."""
    defense = HeatAndBlur(start=start)
    return in_batches(x, lambda photos: defense.heat(defense.relevance(photos, classifier)), name)


def measure(classifier: Classifier, folder: Path, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures."""
    x, y = right_photos(folder, classifier, size, limit, seed)
    targets = random_targets(y, len(classifier.labels), seed)
    expected = probabilities(classifier, x)
    pictures = {"clean": x}
    for case, attack in CASES.items():
        wanted = targets if attack.aim == "targeted" else y
        pictures[case] = attacked_by(attack, classifier, x, wanted, case)
    before = [
        {"attack": case, **judged(probabilities(classifier, photos), expected, y)}
        for case, photos in pictures.items()
    ]
    rows: list[dict[str, Any]] = []
    survives: list[dict[str, Any]] = []
    for start in STARTS:
        clean = heat_of(classifier, x, start, f"heat, {start}")
        another = round(correlation(clean, clean.roll(1, 0)).mean().item(), 3)
        for case, photos in pictures.items():
            for sigma, found in after(classifier, photos, start, f"{case}, {start}").items():
                told = {"attack": case, "start": start, "sigma_cold": sigma}
                rows.append({**told, **judged(found, expected, y)})
            if case != "clean":
                heat = heat_of(classifier, photos, start, f"heat, {case}, {start}")
                kept = round(correlation(clean, heat).mean().item(), 3)
                survives.append(
                    {"attack": case, "start": start, "correlation": kept, "another photo": another}
                )
    return {
        "photos": len(x),
        "before": before,
        "after": rows,
        "heat": survives,
    }


def tables(figures: dict[str, Any]) -> str:
    """The figures as three tables."""
    return "\n\n".join(markdown(figures[table]) for table in ("before", "after", "heat"))


if __name__ == "__main__":
    command(__doc__, measure, tables)
