"""Fits the adversarial score and the automatic λ: ``python -m training.fit_suspicion --photos PHOTOS``.

``PHOTOS/train/<label>/*.jpg`` to fit on, ``PHOTOS/val/<label>/*.jpg`` to measure on: each photo as it is,
and with a LaVAN patch of random size and place. Resumes from its checkpoint, logs every batch, and at the end
writes ``assets/suspicion.json`` and ``assets/automatic.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import classifiers
from attacks.lavan import LaVAN
from classifiers.base import Classifier
from defenses import LGS, SLGS, WLGS
from defenses.automatic import Staircase, busy_area
from evaluation.many_photos.measuring import random_targets
from evaluation.measures.accuracy import predicted
from evaluation.measures.detection import auc, calibration, roc, true_alarms_at
from evaluation.one_photo.adversarial_score import SIGNS, Suspicion, signs
from photos.folder import list_folder, open_photo
from story.table import markdown_table
from training import CHECKPOINTS
from training.recipes import add_recipe_options, recipe_with

ASSETS = Path(__file__).resolve().parent.parent / "assets"
METHODS: dict[str, type[LGS]] = {"lgs": LGS, "slgs": SLGS, "wlgs": WLGS}
_ASKED = 64
"""Photos that pass the classifier together."""
_ROC_POINTS = 101


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the two files; written into them."""

    train: int = 600
    val: int = 400
    batch: int = 8
    smallest_share: float = 0.01
    largest_share: float = 0.12
    iterations: int = 60
    lams: int = 21
    steps: int = 6
    ridge: float = 1e-2
    seed: int = 0

    def grid(self) -> Tensor:
        """The λ that are tried, from one end of its range to the other."""
        lam = LGS.parameter("lam")
        assert lam.low is not None and lam.high is not None
        return torch.linspace(lam.low, lam.high, self.lams)


Rows = dict[str, Tensor]
"""What was measured on N photos: ``signs`` (N, 4), ``area`` (N,), ``patched`` (N,) bool, and by name of a
method whether the label is right at each λ, (N, λ) bool. Clean and attacked photos take turns by batches."""


def measured(
    classifier: Classifier, files: list[tuple[Path, str]], recipe: Recipe, number: int, part: str
) -> Rows:
    """Batch ``number``: its photos as they are, then each with a patch."""
    mine = files[number * recipe.batch : (number + 1) * recipe.batch]
    device = classifier.device
    x = torch.cat([open_photo(file).working(classifier.working_size) for file, _ in mine]).to(device)
    y = torch.tensor([classifier.index(label) for _, label in mine], device=device)
    # A stream of its own for each batch, so that a resumed run draws what an unbroken one draws.
    drawn = 1_000_000 * recipe.seed + 500_000 * (part == "val") + number
    share, across, down = torch.rand(3, generator=torch.Generator().manual_seed(drawn)).tolist()
    attack = LaVAN(
        share=recipe.smallest_share + share * (recipe.largest_share - recipe.smallest_share),
        x=across,
        y=down,
        iterations=recipe.iterations,
        seed=drawn,
    )
    targets = random_targets(y.cpu(), len(classifier.labels), drawn).to(device)
    attacked = attack.run(x, targets, classifier, frames=0).attacked
    photos, labels = torch.cat([x, attacked]), torch.cat([y, y])
    found: Rows = {
        "signs": signs(photos, classifier).cpu(),
        "area": busy_area(LGS().keep(LGS().local_gradient(photos))).cpu(),
        "patched": torch.arange(len(photos)) >= len(x),
    }
    for name, method in METHODS.items():
        found[name] = right_at(method(), classifier, photos, labels, recipe.grid())
    return found


@torch.no_grad()
def right_at(defense: LGS, classifier: Classifier, x: Tensor, y: Tensor, lams: Tensor) -> Tensor:
    """Whether the label of each photo is right behind ``defense`` at each λ, (N, λ) on the CPU."""
    region = defense.region(x, classifier)
    columns = [
        torch.cat(
            [
                predicted(classifier, defense.smooth(photos, part, lam))
                for photos, part in zip(x.split(_ASKED), region.split(_ASKED), strict=True)
            ]
        )
        == y
        for lam in lams.tolist()
    ]
    return torch.stack(columns, 1).cpu()


def fit_score(found: Tensor, patched: Tensor, ridge: float) -> tuple[Tensor, float]:
    """Weights (F,) and bias of a logistic regression by Newton's method, in float64.

    ``ridge`` draws the weights of the standardised signs towards 0, so that signs which part the two kinds
    perfectly have finite weights too.
    """
    x, truth = found.double(), patched.double()
    centre, spread = x.mean(0), x.std(0, correction=0)
    spread = spread.masked_fill(spread == 0, 1)
    columns = torch.cat([(x - centre) / spread, torch.ones(len(x), 1, dtype=torch.float64)], 1)
    penalty = ridge * torch.eye(columns.shape[1], dtype=torch.float64)
    penalty[-1, -1] = 0
    weights = torch.zeros(columns.shape[1], dtype=torch.float64)
    for _ in range(50):
        chance = torch.sigmoid(columns @ weights)
        slope = columns.T @ (chance - truth) / len(x) + penalty @ weights
        curve = (columns.T * (chance * (1 - chance))) @ columns / len(x) + penalty
        change = torch.linalg.solve(curve + 1e-9 * torch.eye(len(curve), dtype=torch.float64), slope)
        weights = weights - change
        if change.abs().max() < 1e-10:
            break
    plain = weights[:-1] / spread
    return plain, float(weights[-1] - plain @ centre)


def fit_staircase(area: Tensor, right: Tensor, lams: Tensor, steps: int) -> Staircase:
    """The λ with most right labels for each of ``steps`` equally frequent ranges of ``area`` (N,).

    A λ is judged with its two neighbours, so that one lucky photo decides little; of equals the least.
    """
    edges = torch.quantile(area, torch.linspace(0, 1, steps + 1)[1:-1]).unique()
    places = torch.bucketize(area, edges)
    chosen = []
    for place in range(len(edges) + 1):
        inside = right[places == place].float()
        shares = inside.mean(0) if len(inside) else right.float().mean(0)
        smooth = torch.cat([shares[:1], shares, shares[-1:]]).unfold(0, 3, 1) @ torch.tensor([1.0, 2.0, 1.0])
        chosen.append(float(lams[int((smooth >= smooth.max() - 1e-6).int().argmax())]))
    return Staircase(tuple(round(edge, 5) for edge in edges.tolist()), tuple(round(lam, 4) for lam in chosen))


def balanced(right: Tensor, patched: Tensor) -> Tensor:
    """(clean + attacked) / 2 of the share of right labels ``right`` (N, ...), over N."""
    return (right[~patched].float().mean(0) + right[patched].float().mean(0)) / 2


def judge_score(found: Rows, suspicion: Suspicion) -> dict[str, Any]:
    """ROC, AUC and calibration on ``found``."""
    scores, patched = suspicion.of(found["signs"]), found["patched"]
    false, true = roc(scores, patched)
    kept = torch.linspace(0, len(false) - 1, min(_ROC_POINTS, len(false))).round().long()
    return {
        "photos": len(patched),
        "auc": round(auc(scores, patched), 4),
        "auc of each sign": {
            sign: round(auc(found["signs"][:, number], patched), 4) for number, sign in enumerate(SIGNS)
        },
        "true alarms at false alarms of": {
            str(share): round(true_alarms_at(scores, patched, share), 4) for share in (0.01, 0.05, 0.1)
        },
        "roc": [
            [round(x, 4), round(y, 4)] for x, y in zip(false[kept].tolist(), true[kept].tolist(), strict=True)
        ],
        "calibration": calibration(scores, patched),
    }


def judge_staircase(train: Rows, val: Rows, name: str, stairs: Staircase, lams: Tensor) -> dict[str, float]:
    """Mean of clean and attacked top-1 on ``val``: by automatic λ, and by the fixed λ best on ``train``."""
    fixed = int(balanced(train[name], train["patched"]).argmax())
    every = balanced(val[name], val["patched"])
    nearest = (stairs.at(val["area"])[:, None] - lams).abs().argmin(1)
    automatic = val[name].gather(1, nearest[:, None])[:, 0]
    return {
        "automatic": round(float(balanced(automatic, val["patched"])), 4),
        "automatic, clean": round(float(automatic[~val["patched"]].float().mean()), 4),
        "automatic, attacked": round(float(automatic[val["patched"]].float().mean()), 4),
        "best fixed on train": round(float(lams[fixed]), 4),
        "fixed": round(float(every[fixed]), 4),
        "gain": round(float(balanced(automatic, val["patched"]) - every[fixed]), 4),
        "best fixed in hindsight": round(float(every.max()), 4),
    }


def collect(classifier: Classifier, folder: Path, recipe: Recipe, part: str, checkpoint: Path) -> Rows:
    """All batches of a part; those that the checkpoint holds are not measured again.

    Raises:
        ValueError: the checkpoint belongs to another recipe or classifier.
    """
    files = [(file, label) for file, label in list_folder(folder / part) if label in classifier.labels]
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(recipe.seed)).tolist()
    many = recipe.train if part == "train" else recipe.val
    files = [files[number] for number in order[:many]]
    owner = {"recipe": asdict(recipe), "classifier": classifier.identity}
    state: dict[str, Any] = {**owner, "train": [], "val": []}
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if {key: state[key] for key in owner} != owner:
            raise ValueError(
                "the checkpoint belongs to another recipe or classifier; give another --checkpoint"
            )
    for number in range(len(state[part]), -(-len(files) // recipe.batch)):
        began = time.monotonic()
        state[part].append(measured(classifier, files, recipe, number, part))
        written = checkpoint.with_suffix(".part")
        torch.save(state, written)
        written.replace(checkpoint)
        done = min((number + 1) * recipe.batch, len(files))
        line = {"part": part, "photos": done, "of": len(files)}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    return {key: torch.cat([rows[key] for rows in state[part]]) for key in state[part][0]}


def write(classifier: Classifier, recipe: Recipe, train: Rows, val: Rows, folder: Path) -> dict[str, Any]:
    """Fits on ``train``, measures on ``val``, writes both files and gives the figures of ``val``."""
    weights, bias = fit_score(train["signs"], train["patched"], recipe.ridge)
    told = {sign: round(weight, 6) for sign, weight in zip(SIGNS, weights.tolist(), strict=True)}
    fitted = Suspicion(tuple(told.values()), round(bias, 6), classifier.identity, {})
    lams = recipe.grid()
    stairs = {name: fit_staircase(train["area"], train[name], lams, recipe.steps) for name in METHODS}
    origin = {
        "classifier": classifier.identity,
        "photo_side": classifier.working_size,
        "recipe": asdict(recipe),
        "fitted_on": {"photos": len(train["area"]), "of them attacked": int(train["patched"].sum())},
        "provenance": (
            "Measured by training/fit_suspicion.py on photos of Imagenette (ImageNet ILSVRC-2012), "
            "Caltech-101 and the Asirra cats and dogs, none of which it contains; val: photos kept apart."
        ),
    }
    score_val = judge_score(val, fitted)
    lam_val = {name: judge_staircase(train, val, name, stairs[name], lams) for name in METHODS}
    cards = {
        "suspicion.json": {"weights": told, "bias": fitted.bias, "val": score_val, **origin},
        "automatic.json": {
            "methods": {name: asdict(known) for name, known in stairs.items()},
            "val": lam_val,
            **origin,
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, card in cards.items():
        (folder / name).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return {"score": score_val, "lam": lam_val}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--classifier", default=classifiers.default_name())
    parser.add_argument("--device")
    parser.add_argument(
        "--checkpoint", type=Path, default=CHECKPOINTS / "suspicion.pt", help="goes on from there"
    )
    parser.add_argument("--out", type=Path, default=ASSETS)
    add_recipe_options(parser, Recipe())
    given = vars(parser.parse_args(arguments))
    recipe = recipe_with(Recipe(), given)
    classifier = classifiers.load(given["classifier"], device=given["device"])
    checkpoint: Path = given["checkpoint"]
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    train, val = (collect(classifier, given["photos"], recipe, part, checkpoint) for part in ("train", "val"))
    figures = write(classifier, recipe, train, val, given["out"])
    print(json.dumps({"auc": figures["score"]["auc"], "calibration": figures["score"]["calibration"]}))
    print(markdown_table([{"method": name, **told} for name, told in figures["lam"].items()]))


if __name__ == "__main__":
    main()
