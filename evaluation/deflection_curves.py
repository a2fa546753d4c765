"""Which part of Pixel Deflection helps: ``python -m evaluation.deflection_curves --photos FOLDER``.

On photos that the classifier gets right, attacked by iterated FGSM: top-1 after each combination of
deflections, map and denoiser, clean and attacked, over numbers of deflections and windows; and what the
failures have in common.
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
    attack = IteratedFGSM()
    attacked = attacked_by(attack, classifier, x, y, "iterated FGSM")
    fooled = predicted(classifier, attacked) != y
    settings = [(count, USUAL) for count in DEFLECTIONS] + [
        (200, window) for window in WINDOWS if window != USUAL
    ]
    rows: list[dict[str, Any]] = []
    restored = torch.zeros_like(fooled)
    for count, window in settings:
        defense = PixelDeflection(deflections=count, window=window)
        on_clean = right_after(defense, classifier, x, y, f"{count} deflections, window {window}, clean")
        on_attacked = right_after(
            defense, classifier, attacked, y, f"{count} deflections, window {window}, attacked"
        )
        for combination in COMBINATIONS:
            rows.append(
                {
                    "deflections": count,
                    "window": window,
                    "parts": combination,
                    "clean": share(on_clean[combination]),
                    "attacked": share(on_attacked[combination]),
                }
            )
        if count == PixelDeflection().deflections and window == USUAL:
            restored = on_attacked["PD + R-CAM + WD"]
    return {
        "photos": len(x),
        "attack": attack.values(),
        "top-1 attacked": share(~fooled),
        "rows": rows,
        "failures": failures(classifier, x[fooled], y[fooled], restored[fooled]),
    }


def tables(figures: dict[str, Any]) -> str:
    """The figures as two tables."""
    return (
        f"{figures['top-1 attacked']} % right when attacked\n\n"
        f"{markdown(figures['rows'])}\n\n{markdown([figures['failures']])}"
    )


if __name__ == "__main__":
    command(__doc__, measure, tables)
