"""Which part of Pixel Deflection helps: ``python -m evaluation.deflection_curves --photos FOLDER``.

On photos that the classifier gets right, clean and attacked by iterated FGSM of several strengths: top-1
after each combination of deflections, map and denoiser, over numbers of deflections and windows; and how sure
the classifier was of the photos that don't come back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.iterated_fgsm import IteratedFGSM
from classifiers.base import Classifier
from defenses.pixel_deflection import PixelDeflection
from evaluation.deflection import COMBINATIONS, combinations
from evaluation.measuring import attacked_by, command, markdown, parts, predicted, right_photos, share

DEFLECTIONS = (0, 100, 200, 500, 1000, 1500, 2000)
WINDOWS = (5, 10, 20, 30)
STRENGTHS = (1, 2, 4)
"""ε of the attack, of 255."""
USUAL = 10
"""The window at which the numbers of deflections are compared."""


@torch.no_grad()
def right_after(
    defense: PixelDeflection, classifier: Classifier, x: Tensor, y: Tensor, name: str
) -> dict[str, Tensor]:
    """By combination, whether each photo's label is right, (N,)."""
    found: dict[str, list[Tensor]] = {combination: [] for combination in COMBINATIONS}
    for photos, labels in parts(x, y, name=name):
        for combination, pictures in combinations(photos, classifier, defense, [defense.seed]).items():
            found[combination].append(predicted(classifier, pictures) == labels)
    return {combination: torch.cat(hits) for combination, hits in found.items()}


def failures(classifier: Classifier, clean: Tensor, y: Tensor, restored: Tensor) -> dict[str, Any]:
    """How sure the classifier was of the photos that came back, and of those that did not."""
    with torch.no_grad():
        sure = torch.cat([classifier(part).softmax(1) for part in clean.split(20)])
    sureness = sure.gather(1, y[:, None])[:, 0]

    def median(values: Tensor) -> float | None:
        return round(values.median().item(), 3) if len(values) else None

    return {
        "photos not restored": int((~restored).sum()),
        "probability of the clean label, restored": median(sureness[restored]),
        "probability of the clean label, not restored": median(sureness[~restored]),
    }


def measure(classifier: Classifier, folder: Path, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures."""
    x, y = right_photos(folder, classifier, size, limit, seed)
    pictures = {"clean": x}
    for eps in STRENGTHS:
        name = f"ε {eps}/255"
        pictures[name] = attacked_by(IteratedFGSM(eps=eps / 255), classifier, x, y, f"iterated FGSM, {name}")
    fooled = {name: predicted(classifier, photos) != y for name, photos in pictures.items()}
    settings = [(count, USUAL) for count in DEFLECTIONS] + [
        (200, window) for window in WINDOWS if window != USUAL
    ]
    rows: list[dict[str, Any]] = [
        {"deflections": "", "window": "", "parts": "no defense"}
        | {name: share(~missed) for name, missed in fooled.items()}
    ]
    failed: list[dict[str, Any]] = []
    for count, window in settings:
        defense = PixelDeflection(deflections=count, window=window)
        right = {
            name: right_after(defense, classifier, photos, y, f"{count} deflections, window {window}, {name}")
            for name, photos in pictures.items()
        }
        for combination in COMBINATIONS:
            rows.append(
                {"deflections": count, "window": window, "parts": combination}
                | {name: share(hits[combination]) for name, hits in right.items()}
            )
        if count == PixelDeflection().deflections and window == USUAL:
            failed = [
                {"attack": name}
                | failures(classifier, x[missed], y[missed], right[name]["PD + R-CAM + WD"][missed])
                for name, missed in fooled.items()
                if missed.any()
            ]
    return {"photos": len(x), "rows": rows, "failures": failed}


def tables(figures: dict[str, Any]) -> str:
    """The figures as two tables: top-1 (%), and what becomes of the photos that were fooled."""
    return f"Right (%):\n\n{markdown(figures['rows'])}\n\n{markdown(figures['failures'])}"


if __name__ == "__main__":
    command(__doc__, measure, tables)
