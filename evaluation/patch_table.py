"""The enhanced LGS paper's Table 1 in small: ``python -m evaluation.patch_table --photos FOLDER``.

On photos that the classifier gets right: share fooled by LaVAN at several sizes (random target, top right)
and by PGD; top-1 and mean nDCG after LGS, SLGS and WLGS at several λ, clean and attacked; mean SSIM; and how
much of each saliency lies on the patch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from attacks.lavan import LaVAN
from attacks.pgd import PGD
from classifiers.base import Classifier
from defenses.lgs import LGS
from defenses.slgs import SLGS
from defenses.wlgs import WLGS
from evaluation.measuring import (
    attacked_by,
    command,
    in_batches,
    judged,
    markdown,
    probabilities,
    random_targets,
    right_photos,
    share,
)
from evaluation.metrics import ssim
from explain import SALIENCIES, saliency

SHARES = (0.01, 0.017, 0.022, 0.05, 0.10)
LAMBDAS = (1.5, 2.3, 3.5)
METHODS = {"LGS": LGS, "SLGS": SLGS, "WLGS": WLGS}


def defended(classifier: Classifier, pictures: dict[str, Tensor], y: Tensor) -> list[dict[str, Any]]:
    """For each method and λ: top-1 and nDCG on each set of pictures, and on the first the mean SSIM to it."""
    expected = probabilities(classifier, next(iter(pictures.values())))
    rows: list[dict[str, Any]] = []
    for method, kind in METHODS.items():
        for lam in LAMBDAS:
            defense = kind(lam=lam)
            row: dict[str, Any] = {"defense": method, "lam": lam}
            for number, (name, x) in enumerate(pictures.items()):
                result = in_batches(x, lambda part: defense(part, classifier), f"{method} λ {lam} {name}")  # noqa: B023
                verdict = judged(probabilities(classifier, result), expected, y)
                row |= {name: verdict["top-1"], f"{name}, nDCG": verdict["nDCG"]}
                if number == 0:
                    pairs = zip(x, result, strict=True)
                    row["ssim"] = round(sum(ssim(before, after) for before, after in pairs) / len(x), 3)
            rows.append(row)
    return rows


def on_patch(
    classifier: Classifier, clean: Tensor, attacked: Tensor, mask: Tensor
) -> dict[str, dict[str, float]]:
    """By saliency method, the mean share (%) of its mass inside ``mask`` (1, 1, H, W), before and after."""

    def mass(x: Tensor, method: str) -> float:
        maps = in_batches(x, lambda part: saliency(part, classifier, method=method), f"saliency {method}")
        inside = (maps * mask).sum((1, 2, 3)) / maps.sum((1, 2, 3)).clamp(min=1e-12)
        return round(100 * inside.mean().item(), 1)

    return {
        method: {"clean": mass(clean, method), "attacked": mass(attacked, method)} for method in SALIENCIES
    }


def measure(classifier: Classifier, folder: Path, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures of the table."""
    x, y = right_photos(folder, classifier, size, limit, seed)
    targets = random_targets(y, len(classifier.labels), seed)
    expected = probabilities(classifier, x)
    pictures = {"clean": x}
    fooled: list[dict[str, Any]] = []

    def note(name: str, attacked: Tensor, aim: Tensor | None) -> None:
        found = probabilities(classifier, attacked)
        reached = None if aim is None else share(found.argmax(1) == aim)
        fooled.append({"attack": name, "to target": reached, **judged(found, expected, y)})

    for area in SHARES:
        name = f"LaVAN {100 * area:g} %"
        attack = LaVAN(share=area)
        pictures[name] = attacked_by(attack, classifier, x, targets, name)
        note(name, pictures[name], targets)
    mask = attack.mask(x[:1])
    name = "PGD 2/255"
    pgd = attacked_by(PGD(eps=2 / 255), classifier, x, y, name)
    note(name, pgd, None)
    assert mask is not None
    return {
        "photos": len(x),
        "attacks": fooled,
        "defenses": defended(classifier, pictures, y),
        "saliency on the largest patch": on_patch(
            classifier, x, pictures[f"LaVAN {100 * SHARES[-1]:g} %"], mask
        ),
    }


def tables(figures: dict[str, Any]) -> str:
    """The figures as three tables."""
    on_it = [
        {"saliency": method, **values} for method, values in figures["saliency on the largest patch"].items()
    ]
    return (
        f"{markdown(figures['attacks'])}\n\n{markdown(figures['defenses'])}\n\n"
        f"Share (%) of the saliency's mass on the largest patch's place:\n\n{markdown(on_it)}"
    )


if __name__ == "__main__":
    command(__doc__, measure, tables)
