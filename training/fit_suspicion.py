"""Fits the adversarial score and the automatic λ: ``python -m training.fit_suspicion --photos PHOTOS``.

``PHOTOS/train/<label>/*.jpg`` to fit on, ``PHOTOS/val/<label>/*.jpg`` to measure on: each photo as it is,
and with a patch, which in every other batch is one of the universal patches that were trained on the
classifier, and in the others, or where there is none in all, LaVAN's, of random size and place. For the score
each photo also carries, where the patch was, each of the harmless ``STICKERS``. Resumes from its checkpoint,
logs every batch, and at the end writes ``assets/suspicion/NAME.json`` and ``assets/automatic/NAME.json``,
NAME being the classifier's.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import classifiers
from attacks.labels import random_target
from attacks.lavan import LaVAN
from attacks.universal_patch import PATCHES, PatchCard, UniversalPatch
from classifiers.base import Classifier
from classifiers.builtin import ASSETS
from classifiers.fitted import card_file
from defenses import LGS, SLGS, WLGS, automatic
from defenses.automatic import Staircase, busy_area
from evaluation.measures.accuracy import predicted
from evaluation.measures.detection import auc, calibration, roc, true_alarms_at
from evaluation.one_photo import adversarial_score
from evaluation.one_photo.adversarial_score import SIGNS, Suspicion, signs
from photos import Source, open_source
from story.table import markdown_table
from training.assets import PHOTOS, write_card
from training.checkpoint import FOLDER, Checkpoint
from training.harmless import STICKERS, with_stickers
from training.recipes import Described, add_recipe_options, recipe_with, setting, training_parser

METHODS: dict[str, type[LGS]] = {"lgs": LGS, "slgs": SLGS, "wlgs": WLGS}
_ASKED = 64
"""Photos that pass the classifier together."""
_ROC_POINTS = 101
FALSE_ALARMS = 0.05
"""Share of the photos of each harmless kind that the alarm may go off on."""
TARGETS = ("runner-up", "random")
_FITTING = ("train", "val", "steps", "prior", "ridge")
"""Fields of the recipe that may change between two runs that go on from one checkpoint."""


@dataclass(frozen=True)
class Recipe(Described):
    """Everything that shapes the two files; written into them."""

    train: int = setting(600, low=1, help="photos of train/ that are fitted on")
    val: int = setting(400, low=1, help="photos of val/ that are measured on")
    batch: int = setting(8, low=1, help="photos that get a patch of the same size at the same place")
    smallest_share: float = setting(0.01, low=0, high=1, help="smallest patch, as a share of the area")
    largest_share: float = setting(0.12, low=0, high=1, help="largest patch, as a share of the area")
    iterations: int = setting(60, low=1, help="steps of LaVAN")
    target: str = setting(
        "runner-up", choices=TARGETS, help="LaVAN's: the likeliest wrong label, or one at random"
    )
    lams: int = setting(21, low=2, help="number of λ that are tried, evenly over its range")
    steps: int = setting(6, low=1, help="ranges of busy area with a λ of their own")
    prior: float = setting(
        50.0, low=0, help="photos' worth by which a range's shares of right labels are drawn to those of all"
    )
    ridge: float = setting(1e-2, low=0, help="penalty on the squared weights of the standardised signs")
    seed: int = setting(0, low=0, help="number that fixes all that is drawn")

    def measuring(self) -> dict[str, Any]:
        """The fields that decide what is measured of a photo; the others only what is made of it."""
        return {name: value for name, value in asdict(self).items() if name not in _FITTING}

    def grid(self) -> Tensor:
        """The λ that are tried, from one end of its range to the other."""
        lam = LGS.parameter("lam")
        assert lam.low is not None and lam.high is not None
        return torch.linspace(lam.low, lam.high, self.lams)


Rows = dict[str, Tensor]
"""What was measured on N photos: ``signs`` (N, 4), ``area`` (N,), ``patched`` (N,) bool, and by name of a
method whether the label is right at each λ, (N, λ) bool. Clean and attacked photos take turns by batches.
``stickers`` (N / 2, ``STICKERS``, 4) are the signs of the clean photos with each harmless sticker."""


def measured(
    classifier: Classifier, source: Source, photos: list[int], recipe: Recipe, number: int, part: str
) -> Rows:
    """Batch ``number`` of these ``photos``: as they are, then each with a patch."""
    mine = photos[number * recipe.batch : (number + 1) * recipe.batch]
    device = classifier.device
    read = [source.read(photo) for photo in mine]
    x = torch.cat([photo.working(classifier.working_size, classifier.crop_share) for photo in read]).to(
        device
    )
    labels = [classifier.index(source.label(photo)) for photo in mine]
    y = torch.tensor(labels, device=device)
    # A stream of its own for each batch, so that a resumed run draws what an unbroken one draws.
    drawn = 1_000_000 * recipe.seed + 500_000 * (part == "val") + number
    own = own_patches(classifier)
    attack = universal_patch(own, drawn) if own and number % 2 else lavan(recipe, drawn)
    if recipe.target == "runner-up":
        targets = runner_up(classifier, x, y)
    else:
        targets = torch.tensor(
            [
                random_target(photo.digest, len(classifier.labels), drawn, (label,))
                for photo, label in zip(read, labels, strict=True)
            ]
        )
    attacked = attack.run(x, targets, classifier, frames=0).attacked
    both, right = torch.cat([x, attacked]), torch.cat([y, y])
    harmless = with_stickers(x, attack.box(*x.shape[-2:]), drawn)
    rows: Rows = {
        "signs": signs(both, classifier).cpu(),
        "stickers": torch.stack([signs(photos, classifier) for photos in harmless.values()], 1).cpu(),
        "area": busy_area(LGS().keep(LGS().local_gradient(both))).cpu(),
        "patched": torch.arange(len(both)) >= len(x),
    }
    for name, method in METHODS.items():
        rows[name] = right_at(method(), classifier, both, right, recipe.grid())
    return rows


def own_patches(classifier: Classifier) -> tuple[PatchCard, ...]:
    """The universal patches that were trained on ``classifier``, by name."""
    return tuple(card for card in PATCHES.values() if card.classifier == classifier.identity)


def lavan(recipe: Recipe, drawn: int) -> LaVAN:
    """LaVAN with a size and a place drawn by the seed ``drawn``."""
    share, across, down = torch.rand(3, generator=torch.Generator().manual_seed(drawn)).tolist()
    return LaVAN(
        share=recipe.smallest_share + share * (recipe.largest_share - recipe.smallest_share),
        x=across,
        y=down,
        iterations=recipe.iterations,
        seed=drawn,
    )


def universal_patch(cards: Sequence[PatchCard], drawn: int) -> UniversalPatch:
    """One of ``cards``, drawn by the seed ``drawn``: where it was trained, anywhere if that was anywhere."""
    which, across, down = torch.rand(3, generator=torch.Generator().manual_seed(drawn)).tolist()
    card = cards[int(which * len(cards))]
    if card.everything["recipe"]["anywhere"]:
        return UniversalPatch(patch=card.name, x=across, y=down)
    return UniversalPatch(patch=card.name, **card.everything["place"])


@torch.no_grad()
def runner_up(classifier: Classifier, x: Tensor, y: Tensor) -> Tensor:
    """The likeliest label (B,) of photos ``x`` but for their own, ``y`` (B,), and the predicted one."""
    scores = classifier(x)
    taken = torch.stack([y, scores.argmax(1)], 1)
    return scores.scatter(1, taken, -torch.inf).argmax(1)


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


def mixed(rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """What the score is fitted on: signs (M, 4), whether each carries a patch (M,), and what it counts (M,).

    Patched photos count one half in all, clean ones a quarter, those with a harmless sticker a quarter.
    """
    clean, patched = rows["signs"][~rows["patched"]], rows["signs"][rows["patched"]]
    stickers = rows["stickers"].flatten(0, 1)
    kinds = ((patched, True, 0.5), (clean, False, 0.25), (stickers, False, 0.25))
    weights = [torch.full((len(signs),), share / len(signs)) for signs, _, share in kinds]
    truth = [torch.full((len(signs),), is_patched) for signs, is_patched, _ in kinds]
    return torch.cat([signs for signs, _, _ in kinds]), torch.cat(truth), torch.cat(weights)


def fit_score(signs: Tensor, patched: Tensor, counts: Tensor, ridge: float) -> tuple[Tensor, float]:
    """Weights (F,) and bias of a logistic regression by Newton's method, in float64.

    ``counts`` (N,) is how much each of the N rows counts; they add up to 1. ``ridge`` draws the weights of
    the standardised signs towards 0, so that signs which part the two kinds perfectly have finite weights
    too.
    """
    x, truth, counts = signs.double(), patched.double(), counts.double()
    centre = counts @ x
    spread = (counts @ (x - centre).square()).sqrt()
    spread = spread.masked_fill(spread == 0, 1)
    columns = torch.cat([(x - centre) / spread, torch.ones(len(x), 1, dtype=torch.float64)], 1)
    penalty = ridge * torch.eye(columns.shape[1], dtype=torch.float64)
    penalty[-1, -1] = 0
    weights = torch.zeros(columns.shape[1], dtype=torch.float64)
    for _ in range(50):
        chance = torch.sigmoid(columns @ weights)
        slope = columns.T @ (counts * (chance - truth)) + penalty @ weights
        curve = (columns.T * (counts * chance * (1 - chance))) @ columns + penalty
        change = torch.linalg.solve(curve + 1e-9 * torch.eye(len(curve), dtype=torch.float64), slope)
        weights = weights - change
        if change.abs().max() < 1e-10:
            break
    plain = weights[:-1] / spread
    return plain, float(weights[-1] - plain @ centre)


def alarm_from(rows: Rows, suspicion: Suspicion) -> float:
    """The least score, to four digits, from which on lie at most ``FALSE_ALARMS`` of each harmless kind."""
    highest = []
    for scores in harmless_scores(rows, suspicion).values():
        allowed = int(FALSE_ALARMS * len(scores))
        highest.append(float(scores.sort(descending=True).values[allowed]))
    # The photo with this very score may not be one.
    return min(1.0, math.ceil(max(highest) * 10_000 + 0.01) / 10_000)


def harmless_scores(rows: Rows, suspicion: Suspicion) -> dict[str, Tensor]:
    """Scores (N / 2,) of the clean photos, plain and with each sticker, by what is on them."""
    scores = {"nothing": suspicion.of(rows["signs"][~rows["patched"]])}
    return scores | {kind: suspicion.of(rows["stickers"][:, number]) for number, kind in enumerate(STICKERS)}


def fit_staircase(area: Tensor, right: Tensor, lams: Tensor, steps: int, prior: float) -> Staircase:
    """The λ with most right labels for each of ``steps`` equally frequent ranges of ``area`` (N,).

    A λ is judged with its two neighbours, and on the range's photos together with ``prior`` photos that are
    as all are on average, so that a few lucky ones decide little; of equals the least.
    """
    everywhere = right.float().mean(0)
    edges = torch.quantile(area, torch.linspace(0, 1, steps + 1)[1:-1]).unique()
    steps_of_photos = torch.bucketize(area, edges)
    best = []
    for step in range(len(edges) + 1):
        inside = right[steps_of_photos == step].float()
        shares = everywhere
        if len(inside):
            shares = (inside.sum(0) + prior * everywhere) / (len(inside) + prior)
        smooth = torch.cat([shares[:1], shares, shares[-1:]]).unfold(0, 3, 1) @ torch.tensor([1.0, 2.0, 1.0])
        best.append(float(lams[int((smooth >= smooth.max() - 1e-6).int().argmax())]))
    return Staircase(tuple(round(edge, 5) for edge in edges.tolist()), tuple(round(lam, 4) for lam in best))


def balanced(right: Tensor, patched: Tensor) -> Tensor:
    """(clean + attacked) / 2 of the share of right labels ``right`` (N, ...), over N."""
    return (right[~patched].float().mean(0) + right[patched].float().mean(0)) / 2


def judge_score(rows: Rows, suspicion: Suspicion) -> dict[str, Any]:
    """ROC, AUC and calibration on ``rows``, and how many alarms there are on what.

    Of the clean photos every other one carries a sticker, each kind in turn, as many as are plain.
    """
    signs, patched = judged_signs(rows), rows["patched"]
    scores = suspicion.of(signs)
    false, true = roc(scores, patched)
    kept = torch.linspace(0, len(false) - 1, min(_ROC_POINTS, len(false))).round().long()
    return {
        "photos": len(patched),
        "auc": round(auc(scores, patched), 4),
        "auc of each sign": {
            sign: round(auc(signs[:, number], patched), 4) for number, sign in enumerate(SIGNS)
        },
        "alarms": alarms(rows, suspicion),
        "true alarms at false alarms of": {
            str(share): round(true_alarms_at(scores, patched, share), 4) for share in (0.01, 0.05, 0.1)
        },
        "roc": [
            [round(x, 4), round(y, 4)] for x, y in zip(false[kept].tolist(), true[kept].tolist(), strict=True)
        ],
        "calibration": calibration(scores, patched),
    }


def judged_signs(rows: Rows) -> Tensor:
    """The signs (N, 4) of ``rows``, every other clean photo with a sticker, each kind in turn."""
    signs, clean = rows["signs"].clone(), (~rows["patched"]).nonzero()[:, 0]
    for photo, row in enumerate(clean.tolist()):
        if photo % 2:
            signs[row] = rows["stickers"][photo, photo // 2 % len(STICKERS)]
    return signs


def alarms(rows: Rows, suspicion: Suspicion) -> dict[str, dict[str, float]]:
    """By what is on the photos, the share of them on which the alarm goes off: from 0.5, and as fitted."""
    by_kind = {"a patch": suspicion.of(rows["signs"][rows["patched"]]), **harmless_scores(rows, suspicion)}
    edges = {"from 0.5": 0.5, "as fitted": suspicion.alarm_from}
    return {
        kind: {name: round(float((scores >= edge).float().mean()), 4) for name, edge in edges.items()}
        for kind, scores in by_kind.items()
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


def collect(
    classifier: Classifier, source: Source, recipe: Recipe, part: str, checkpoint: Checkpoint
) -> Rows:
    """All batches of a part, "train" or "val"; those that the checkpoint holds are not measured again.

    More photos go on from the checkpoint of fewer.

    Raises:
        ValueError: the checkpoint belongs to another recipe or classifier.
    """
    usable = [number for number in range(len(source)) if source.label(number) in classifier.labels]
    order = torch.randperm(len(usable), generator=torch.Generator().manual_seed(recipe.seed)).tolist()
    many = recipe.train if part == "train" else recipe.val
    photos = [usable[row] for row in order[:many]]
    state = checkpoint.read() or {"train": [], "val": []}
    batches = -(-len(photos) // recipe.batch)
    # The last batch of fewer photos is a smaller one.
    if state[part] and batches > len(state[part]) and 2 * recipe.batch > len(state[part][-1]["area"]):
        state[part].pop()
    for number in range(len(state[part]), batches):
        began = time.monotonic()
        state[part].append(measured(classifier, source, photos, recipe, number, part))
        checkpoint.save(state)
        done = min((number + 1) * recipe.batch, len(photos))
        line = {"part": part, "photos": done, "of": len(photos)}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
    return {key: torch.cat([rows[key] for rows in state[part][:batches]]) for key in state[part][0]}


def write(classifier: Classifier, recipe: Recipe, train: Rows, val: Rows, folder: Path) -> dict[str, Any]:
    """Fits on ``train``, measures on ``val``, writes both files into ``folder``; the figures of ``val``."""
    weights, bias = fit_score(*mixed(train), recipe.ridge)
    rounded = {sign: round(weight, 6) for sign, weight in zip(SIGNS, weights.tolist(), strict=True)}
    fitted = Suspicion(tuple(rounded.values()), round(bias, 6), 1.0, classifier.identity, {})
    fitted = replace(fitted, alarm_from=alarm_from(train, fitted))
    lams = recipe.grid()
    stairs = {
        name: fit_staircase(train["area"], train[name], lams, recipe.steps, recipe.prior) for name in METHODS
    }
    origin = {
        "classifier": classifier.identity,
        "photo_side": classifier.working_size,
        "recipe": asdict(recipe),
        "universal_patches": [card.name for card in own_patches(classifier)],
        "fitted_on": {"photos": len(train["area"]), "of them attacked": int(train["patched"].sum())},
        "provenance": (
            f"Measured by training/fit_suspicion.py on {PHOTOS}, none of which it contains; val: photos kept "
            "apart."
        ),
    }
    score_val = judge_score(val, fitted)
    lam_val = {name: judge_staircase(train, val, name, stairs[name], lams) for name in METHODS}
    cards = {
        adversarial_score.FOLDER.name: {
            "weights": rounded,
            "bias": fitted.bias,
            "alarm from": fitted.alarm_from,
            "stickers": list(STICKERS),
            "val": score_val,
            **origin,
        },
        automatic.FOLDER.name: {
            "methods": {name: asdict(staircase) for name, staircase in stairs.items()},
            "val": lam_val,
            **origin,
        },
    }
    for name, card in cards.items():
        write_card(card_file(folder / name, classifier.name), card)
    return {"score": score_val, "lam": lam_val}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = training_parser(__doc__)
    parser.add_argument("--classifier", default=classifiers.default_name(), help="that is looked at")
    parser.add_argument("--device", help="cpu or cuda; by default the best there is")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        help="continues from there, and is kept there; by default a file for each classifier",
    )
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder of the folders of both files")
    add_recipe_options(parser, Recipe())
    given = vars(parser.parse_args(arguments))
    recipe = recipe_with(Recipe(), given)
    classifier = classifiers.load(given["classifier"], device=given["device"])
    checkpoint = Checkpoint(
        given["checkpoint"] or card_file(FOLDER, f"suspicion-{classifier.name}").with_suffix(".pt"),
        {
            "recipe": recipe.measuring(),
            "classifier": classifier.identity,
            "patches": [card.sha256 for card in own_patches(classifier)],
            "stickers": list(STICKERS),
        },
    )
    train, val = (
        collect(classifier, open_source(str(given["photos"] / part)), recipe, part, checkpoint)
        for part in ("train", "val")
    )
    figures = write(classifier, recipe, train, val, given["out"])
    print(json.dumps({"auc": figures["score"]["auc"], "calibration": figures["score"]["calibration"]}))
    print(markdown_table([{"on it": kind, **row} for kind, row in figures["score"]["alarms"].items()]))
    print(markdown_table([{"method": name, **row} for name, row in figures["lam"].items()]))


if __name__ == "__main__":
    main()
