"""Which part of Pixel Deflection helps: ``python -m experiments.pixel_deflection_curves --photos FOLDER``.

On photos that the classifier gets right, clean and attacked by iterated FGSM of several strengths: top-1 and
mean nDCG after each combination of deflections, map and denoiser, over numbers of deflections and windows;
and how sure the classifier was of the photos that don't come back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attacks.iterated_fgsm import IteratedFGSM
from classifiers.base import Classifier
from defenses.pixel_deflection import PixelDeflection
from evaluation.many_photos.measuring import attacked_by, command, in_parts, right_photos
from evaluation.measures.accuracy import judged, probabilities
from evaluation.one_photo.pixel_deflection import COMBINATIONS, combinations
from photos import Source
from story.table import markdown_table

DEFLECTIONS = (0, 100, 200, 500, 1000, 1500, 2000)
WINDOWS = (5, 10, 20, 30)
STRENGTHS = (1, 2, 4)
"""ε of the attack, of 255."""
USUAL = 10
"""The window at which the numbers of deflections are compared."""


@torch.no_grad()
def after(defense: PixelDeflection, classifier: Classifier, x: Tensor, name: str) -> dict[str, Tensor]:
    """By combination, the probabilities on the defended photos, (N, labels)."""

    def part(photos: Tensor) -> dict[str, Tensor]:
        pictures = combinations(photos, classifier, defense, [defense.seed])
        return {
            combination: probabilities(classifier, picture).cpu() for combination, picture in pictures.items()
        }

    parts = in_parts(part, x, model=classifier, name=name)
    return {combination: torch.cat([one[combination] for one in parts]) for combination in COMBINATIONS}


def failures(sureness: Tensor, restored: Tensor) -> dict[str, Any]:
    """How sure (N,) the classifier was of the photos that came back (N,), and of those that did not."""

    def median(values: Tensor) -> float | None:
        return round(values.median().item(), 3) if len(values) else None

    return {
        "photos not restored": int((~restored).sum()),
        "probability of the clean label, restored": median(sureness[restored]),
        "probability of the clean label, not restored": median(sureness[~restored]),
    }


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures."""
    photos = right_photos(source, classifier, size, limit, seed)
    y, pictures = photos.y, {"clean": photos.x}
    for eps in STRENGTHS:
        name, attack = f"ε {eps}/255", IteratedFGSM(eps=eps / 255)
        pictures[name] = attacked_by(attack, classifier, photos.x, y, f"iterated FGSM, {name}")
    before = {name: probabilities(classifier, x) for name, x in pictures.items()}
    expected = before["clean"]
    sureness = expected.gather(1, y[:, None])[:, 0]
    fooled = {name: likely.argmax(1) != y for name, likely in before.items()}
    settings = [(count, USUAL) for count in DEFLECTIONS] + [
        (200, window) for window in WINDOWS if window != USUAL
    ]

    def row(count: int | str, window: int | str, part: str, seen: dict[str, Tensor]) -> dict[str, Any]:
        line: dict[str, Any] = {"deflections": count, "window": window, "parts": part}
        for name, likely in seen.items():
            verdict = judged(likely, expected, y)
            line |= {name: verdict["top-1"], f"{name}, nDCG": verdict["nDCG"]}
        return line

    rows = [row("", "", "no defense", before)]
    failed: list[dict[str, Any]] = []
    for count, window in settings:
        defense = PixelDeflection(deflections=count, window=window)
        defended = {
            name: after(defense, classifier, x, f"{count} deflections, window {window}, {name}")
            for name, x in pictures.items()
        }
        for combination in COMBINATIONS:
            seen = {name: likely[combination] for name, likely in defended.items()}
            rows.append(row(count, window, combination, seen))
        if count == PixelDeflection().deflections and window == USUAL:
            failed = [
                {"attack": name}
                | failures(sureness[missed], (defended[name]["PD + R-CAM + WD"].argmax(1) == y)[missed])
                for name, missed in fooled.items()
                if missed.any()
            ]
    return {"photos": len(photos), "rows": rows, "failures": failed}


def tables(figures: dict[str, Any]) -> str:
    """The figures as two tables: top-1 (%) with nDCG, and what becomes of the photos that were fooled."""
    return f"Right (%):\n\n{markdown_table(figures['rows'])}\n\n{markdown_table(figures['failures'])}"


if __name__ == "__main__":
    command(__doc__, measure, tables)
