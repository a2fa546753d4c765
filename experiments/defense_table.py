"""Every defense against every kind of attack: ``python -m experiments.defense_table --photos FOLDER``.

On photos that the classifier gets right: top-1 after each defense of the registry at its defaults, the share
that it rejects, mean SSIM and nDCG to the clean photo, and milliseconds per photo. A rejected photo counts as
wrong in "top-1"; "top-1 of accepted" leaves it out; SSIM and nDCG are those of its result.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.base import Attack
from attacks.lavan import LaVAN
from attacks.noise import Noise
from attacks.pgd import PGD
from classifiers.base import Classifier
from defenses import DEFENSES, Defense
from evaluation.many_photos.measuring import attacked_by, command, parts, random_targets, right_photos
from evaluation.measures.accuracy import judged, probabilities, share
from evaluation.measures.metrics import ndcg, ssim
from evaluation.measures.timing import now
from explain import Memo, remembering
from story import by_name
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
def outcome(
    defense: Defense,
    classifier: Classifier,
    x: Tensor,
    clean: Tensor,
    expected: Tensor,
    y: Tensor,
    name: str,
) -> dict[str, float]:
    """What becomes of photos ``x`` (N, 3, H, W), which were ``clean`` and have the labels ``y``.

    ``expected`` (N, labels) are the probabilities on the clean photos.
    """
    right, rejected, likeness, rankings, seconds = [], [], [], [], 0.0
    for photos, before, likely, labels in parts(x, clean, expected, y, name=name):
        with remembering(Memo(512_000_000)):
            began = now(classifier.device)
            steps = defense.steps(photos, classifier)
            result = by_name(steps, "result").map
            seconds += now(classifier.device) - began
            decision = defense.decision(steps, classifier)
        found = probabilities(classifier, result)
        said = found.argmax(1) if decision is None else decision.labels
        rankings.append(ndcg(likely, found))
        right.append(said == labels)
        rejected.append(said < 0)
        likeness += [ssim(*pair) for pair in zip(before, result, strict=True)]
    hits, refused = torch.cat(right), torch.cat(rejected)
    return {
        "top-1": share(hits),
        "top-1 of accepted": share(hits[~refused]) if (~refused).any() else 0.0,
        "rejected": share(refused),
        "ssim": round(sum(likeness) / len(likeness), 3),
        "nDCG": round(torch.cat(rankings).mean().item(), 3),
        "ms": float(f"{1000 * seconds / len(x):.2g}"),
    }


def measure(classifier: Classifier, folder: Path, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """A row for each case and defense; "none" is the photo as it is."""
    x, y = right_photos(folder, classifier, size, limit, seed)
    targets = random_targets(y, len(classifier.labels), seed)
    expected = probabilities(classifier, x)
    rows: list[dict[str, Any]] = []
    for case, attack in {"clean": None, **CASES}.items():
        attacked = x
        if attack is not None:
            wanted = targets if attack.aim == "targeted" else y
            attacked = attacked_by(attack, classifier, x, wanted, case)
        seen = judged(probabilities(classifier, attacked), expected, y)
        rows.append({"attack": case, "defense": "none", **seen})
        for name, cls in DEFENSES.items():
            told = outcome(cls(), classifier, attacked, x, expected, y, f"{case}, {name}")
            rows.append({"attack": case, "defense": name, **told})
    return {"photos": len(x), "rows": rows}


def tables(figures: dict[str, Any]) -> str:
    """The figures as one table."""
    heads = ("attack", "defense", "top-1", "top-1 of accepted", "rejected", "ssim", "nDCG", "ms")
    return markdown_table([{head: row.get(head, "") for head in heads} for row in figures["rows"]])


if __name__ == "__main__":
    command(__doc__, measure, tables)
