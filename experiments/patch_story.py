"""The enhanced LGS paper's story: ``python -m experiments.patch_story --photos PHOTOS --json FILE``.

For each built-in classifier, on photos of ``PHOTOS/val/<label>/*.jpg`` that it gets right: the share that
each patch fools, how much of each saliency lies on the patch, how well the mask of SLGS finds it, and top-1
and mean nDCG after LGS, SLGS and WLGS, clean and attacked. What ``FILE`` holds already is not measured again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks import Attack
from attacks.lavan import LaVAN
from attacks.pgd import PGD
from attacks.universal_patch import PATCHES, UniversalPatch
from classifiers import builtin_names, load
from classifiers.base import Classifier
from defenses import LGS, SLGS, WLGS, Defense, defend
from evaluation.many_photos.measuring import LabelledPhotos, attacked_by, in_parts, right_photos
from evaluation.measures.accuracy import judged, probabilities, share
from evaluation.measures.metrics import iou, ssim_each
from explain import SALIENCIES, Memo, offered, remembering, saliency, share_inside
from photos import open_source
from story import by_name
from story.table import markdown_table

SHARES = (0.01, 0.017, 0.022, 0.05, 0.10)
LAMBDAS, USUAL = (1.5, 2.3, 3.5), 2.3
CLEAN = "no attack"
KINDS = {"lavan": "universal LaVAN", "adversarial-patch": "Adversarial Patch"}
MEMO = 10**9


def defenses(classifier: Classifier) -> dict[str, Defense]:
    """Name in the table -> defense: LGS at every λ, and SLGS and WLGS by every saliency that applies.

    By the classifier's own saliency at every λ, by the others at the ``USUAL`` one.
    """
    by_title: dict[str, Defense] = {f"LGS, λ {lam}": LGS(lam=lam) for lam in LAMBDAS}
    for kind in (SLGS, WLGS):
        for method in offered(classifier):
            for lam in LAMBDAS if method == classifier.saliency else (USUAL,):
                by_title[f"{kind.__name__} by {method}, λ {lam}"] = kind(lam=lam, saliency=method)
    return by_title


@dataclass(frozen=True, eq=False)
class Case:
    """An attack on the photos of a table.

    Attributes:
        name: in the table.
        attack: None leaves the photos clean.
        goals: (N,) the labels to be reached, or else to be left.
        targeted: which of the two.
    """

    name: str
    attack: Attack | None
    goals: Tensor
    targeted: bool


def cases(classifier: Classifier, photos: LabelledPhotos, seed: int) -> Iterator[Case]:
    """All cases for these photos."""
    y = photos.y
    yield Case(CLEAN, None, y, False)
    yield Case("PGD 2/255", PGD(eps=2 / 255), y, False)
    targets = photos.targets(len(classifier.labels), seed)
    for area in SHARES:
        yield Case(f"LaVAN per photo, {100 * area:g} %", LaVAN(share=area), targets, True)
    for name, card in PATCHES.items():
        if card.classifier == classifier.identity:
            title = f"{KINDS[card.everything['kind']]} {name}, {100 * card.share:g} %"
            target = torch.full_like(y, classifier.index(card.target))
            yield Case(title, UniversalPatch(patch=name), target, True)


Gazes = dict[str, Tensor]
"""Saliency method -> its maps (N, 1, H, W) of the clean photos."""


def gazes(classifier: Classifier, x: Tensor) -> Gazes:
    """Where the classifier looks on clean photos ``x`` (N, 3, H, W), by every method."""

    def maps(method: str) -> Tensor:
        def part(photos: Tensor) -> Tensor:
            return saliency(photos, classifier, method=method).detach().cpu()

        return torch.cat(in_parts(part, x, model=classifier, name=f"saliency {method}"))

    return {method: maps(method) for method in offered(classifier)}


def measure(classifier: Classifier, x: Tensor, y: Tensor, case: Case, clean: Gazes) -> dict[str, Any]:
    """All figures of one case; shares are in per cent.

    Photos (N, 3, H, W), of which ``clean`` are the maps, are left out where they are of the target's label to
    begin with.
    """
    counted = case.goals != y if case.targeted else torch.ones_like(y, dtype=torch.bool)
    x, y, goals = x[counted], y[counted], case.goals[counted]
    mask = None
    attacked = x
    if case.attack is not None:
        attacked = attacked_by(case.attack, classifier, x, goals, case.name)
        mask = case.attack.mask(x[:1])
    now, expected = probabilities(classifier, attacked), probabilities(classifier, x)
    rows, inside = defended(classifier, x, attacked, y, expected, mask, case.name)
    figures: dict[str, Any] = {
        "photos": len(x),
        "to target": share(now.argmax(1) == goals) if case.targeted else None,
        **judged(now, expected, y),
        "defended": rows,
    }
    if mask is not None:
        figures["on patch"] = {
            method: [share(share_inside(maps[counted], mask)), inside[method]]
            for method, maps in clean.items()
        }
    return figures


@torch.no_grad()
def defended(
    classifier: Classifier,
    x: Tensor,
    attacked: Tensor,
    y: Tensor,
    expected: Tensor,
    mask: Tensor | None,
    name: str,
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """What comes out by defense, and the share of each saliency that lies on the patch, in per cent.

    By defense: top-1 in per cent and mean nDCG; where a patch is, the IoU of SLGS's final mask with it; where
    nothing is attacked, the mean SSIM to the photos.

    Args:
        classifier: whose labels are counted.
        x: clean photos (N, 3, H, W).
        attacked: the same photos under attack; ``x`` itself where nothing is attacked.
        y: labels (N,).
        expected: probabilities (N, labels) on the clean photos.
        mask: (1, 1, H, W), where the patch lies.
        name: of the case, for the progress bar.
    """
    each = defenses(classifier)
    place = None if mask is None else mask.to(classifier.device)

    def part(before: Tensor, photos: Tensor) -> dict[tuple[str, str], Tensor]:
        """(Defense or saliency, figure) -> (B, ...)."""
        columns: dict[tuple[str, str], Tensor] = {}
        with remembering(Memo(MEMO)):
            if place is not None:
                for method in offered(classifier):
                    looked = saliency(photos, classifier, method=method)
                    columns[method, "inside"] = share_inside(looked, place)
            for title, defense in each.items():
                outcome = defend(defense, photos, classifier)
                columns[title, "said"] = outcome.logits.softmax(1)
                if attacked is x:
                    columns[title, "ssim"] = ssim_each(before, outcome.result)
                elif place is not None and isinstance(defense, SLGS):
                    columns[title, "iou"] = iou(by_name(outcome.steps, "after dilation").map, place)
        return {key: column.cpu() for key, column in columns.items()}

    parts = in_parts(part, x, attacked, model=classifier, name=f"defended, {name}")
    columns = {key: torch.cat([one[key] for one in parts]) for key in parts[0]}
    rows: dict[str, dict[str, float]] = {}
    for title in each:
        rows[title] = judged(columns[title, "said"], expected, y)
        for figure in ("ssim", "iou"):
            if (title, figure) in columns:
                rows[title][figure] = round(columns[title, figure].mean().item(), 3)
    return rows, {
        method: share(columns[method, "inside"])
        for method in offered(classifier)
        if (method, "inside") in columns
    }


def tables(figures: dict[str, dict[str, Any]]) -> str:
    """The figures of one classifier, by case, as two tables."""
    asked = [method for method in SALIENCIES if _slgs_by(method) in figures[CLEAN]["defended"]]
    fooled = [
        {
            "attack": name,
            "photos": case["photos"],
            "to target": case["to target"] if case["to target"] is not None else "",
            "top-1": case["top-1"],
            "nDCG": case["nDCG"],
            **{f"on patch: {method}": _from_to(case, method) for method in asked},
            **{f"IoU: {method}": _iou(case, method) for method in asked},
        }
        for name, case in figures.items()
    ]
    after = [
        {
            "defense": title,
            "ssim": row["ssim"],
            **{name: _behind(case["defended"][title]) for name, case in figures.items()},
        }
        for title, row in figures[CLEAN]["defended"].items()
    ]
    return f"{markdown_table(fooled)}\n\nTop-1 (%) and nDCG behind each defense:\n\n{markdown_table(after)}"


def _behind(row: dict[str, float]) -> str:
    return "{} ({})".format(row["top-1"], row["nDCG"])


def _from_to(figures: dict[str, Any], method: str) -> str:
    return "{} → {}".format(*figures["on patch"][method]) if "on patch" in figures else ""


def _slgs_by(method: str) -> str:
    return f"SLGS by {method}, λ {USUAL}"


def _iou(figures: dict[str, Any], method: str) -> str:
    row = figures["defended"][_slgs_by(method)]
    return str(row.get("iou", ""))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder with val/")
    parser.add_argument("--classifier", nargs="+", default=builtin_names(), help="all built-in ones")
    parser.add_argument("--limit", type=int, default=300, help="how many photos")
    parser.add_argument("--seed", type=int, default=0, help="number that fixes all that is drawn")
    parser.add_argument("--json", type=Path, help="goes on from what is there, and writes after every case")
    given = parser.parse_args()
    by_classifier: dict[str, dict[str, Any]] = {}
    if given.json and given.json.exists():
        by_classifier = json.loads(given.json.read_text(encoding="utf-8"))
    for name in given.classifier:
        classifier = load(name)
        size = classifier.working_size
        key = f"{classifier.identity}, {given.limit} photos at {size} px, seed {given.seed}"
        figures = by_classifier.setdefault(key, {})
        photos = right_photos(
            open_source(str(given.photos / "val")), classifier, size, given.limit, given.seed
        )
        left = [case for case in cases(classifier, photos, given.seed) if case.name not in figures]
        clean = gazes(classifier, photos.x) if left else {}
        for case in left:
            figures[case.name] = measure(classifier, photos.x, photos.y, case, clean)
            if given.json:
                given.json.write_text(json.dumps(by_classifier, indent=1) + "\n", encoding="utf-8")
        print(f"{name}, {size} px\n\n{tables(figures)}\n")


if __name__ == "__main__":
    main()
