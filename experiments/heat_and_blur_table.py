"""What Heat and Blur gives and costs: ``python -m experiments.heat_and_blur_table --photos FOLDER``.

On photos that the classifier gets right, clean and attacked by FGSM, PGD and LaVAN (random target): top-1 and
mean nDCG without a defense, and with Heat and Blur for each start of the relevance over σ_cold, all else at
its defaults. Start "none" is the control: the whole photo blurred by σ_cold, whatever the network looks at.
The clean photos' rows are what the defense costs. And by start, how far the clean photos' heat survives: its
mean correlation with the attacked photos' heat, beside that with another clean photo's.

Each attack's rows are also printed when they are there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from attacks.base import Attack
from attacks.fgsm import FGSM
from attacks.lavan import LaVAN
from attacks.pgd import PGD
from classifiers.base import Classifier
from defenses import HeatAndBlur, defend
from evaluation.many_photos.measuring import attacked_by, command, in_parts, right_photos, tell
from evaluation.measures.accuracy import judged, probabilities
from evaluation.one_photo.heat_and_blur import correlation
from explain import STARTS, Memo, remembering
from ops.blur import blurred
from photos import Source
from story import by_name
from story.table import markdown_table

CASES: dict[str, Attack] = {
    "FGSM 4/255": FGSM(eps=4 / 255),
    "PGD 2/255": PGD(eps=2 / 255),
    "LaVAN": LaVAN(),
}
COLD = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0)
CONTROL = "none"
_MEMO_BYTES = 64_000_000


def pictures_of(
    classifier: Classifier, source: Source, *, size: int, limit: int, seed: int
) -> tuple[dict[str, Tensor], Tensor]:
    """The photos (N, 3, size, size) as "clean" and by each of ``CASES``, and their labels (N,)."""
    photos = right_photos(source, classifier, size, limit, seed)
    pictures = {"clean": photos.x}
    for case, attack in CASES.items():
        goals = photos.goals(attack, len(classifier.labels), seed)
        pictures[case] = attacked_by(attack, classifier, photos.x, goals, case)
    return pictures, photos.y


@torch.no_grad()
def heated(classifier: Classifier, x: Tensor, start: str, name: str) -> tuple[Tensor, dict[float, Tensor]]:
    """The heat of photos ``x``, (N, 1, H, W), and by σ_cold the probabilities (N, labels) behind the defense.

    The relevance, which costs most, is asked for once.
    """

    def part(photos: Tensor) -> tuple[Tensor, dict[float, Tensor]]:
        with remembering(Memo(_MEMO_BYTES)):
            outcomes = {
                sigma: defend(HeatAndBlur(start=start, sigma_cold=sigma), photos, classifier)
                for sigma in COLD
            }
        heat = by_name(outcomes[COLD[-1]].steps, "heat").map.cpu()
        return heat, {sigma: outcome.logits.softmax(1).cpu() for sigma, outcome in outcomes.items()}

    parts = in_parts(part, x, model=classifier, name=name)
    heats = torch.cat([heat for heat, _ in parts])
    return heats, {sigma: torch.cat([by_sigma[sigma] for _, by_sigma in parts]) for sigma in COLD}


@torch.no_grad()
def only_blurred(classifier: Classifier, x: Tensor) -> dict[float, Tensor]:
    """By σ_cold, the probabilities (N, labels) on photos ``x`` that are blurred all over."""
    return {
        sigma: torch.cat(
            in_parts(
                lambda photos, sigma=sigma: probabilities(classifier, blurred(photos, sigma)).cpu(),
                x,
                model=classifier,
            )
        )
        for sigma in COLD
    }


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures."""
    pictures, y = pictures_of(classifier, source, size=size, limit=limit, seed=seed)
    expected = probabilities(classifier, pictures["clean"])
    before: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    survives: list[dict[str, Any]] = []
    clean: dict[str, Tensor] = {}
    for case, photos in pictures.items():
        before.append({"attack": case, **judged(probabilities(classifier, photos), expected, y)})
        after = {CONTROL: only_blurred(classifier, photos)}
        for start in STARTS:
            heat, after[start] = heated(classifier, photos, start, f"{case}, {start}")
            if case == "clean":
                clean[start] = heat
                continue
            another = correlation(clean[start], clean[start].roll(1, 0))
            survives.append(
                {
                    "attack": case,
                    "start": start,
                    "correlation": round(correlation(clean[start], heat).mean().item(), 3),
                    "another photo": round(another.mean().item(), 3),
                }
            )
        new = [
            {"attack": case, "start": start, "sigma_cold": sigma, **judged(found, expected, y)}
            for start, by_sigma in after.items()
            for sigma, found in by_sigma.items()
        ]
        tell(new)
        rows += new
    return {"photos": len(y), "before": before, "after": rows, "heat": survives}


def tables(figures: dict[str, Any]) -> str:
    """The figures as three tables."""
    return "\n\n".join(markdown_table(figures[table]) for table in ("before", "after", "heat"))


if __name__ == "__main__":
    command(__doc__, measure, tables)
