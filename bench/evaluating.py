"""How near an evaluation of many photos comes to its bare passes, reading and writing included."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image

from attacks.pgd import PGD
from bench.interleaved import Entrant, race
from bench.passes import bare, passes_of
from bench.setting import Found, Setting
from classifiers.base import Classifier
from defenses import DEFENSES
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Selection, evaluate
from evaluation.many_photos.run_folder import Run
from photos import open_source

PART = "evaluation"
LIMIT = ("the bare passes", "all")
PHOTOS, BATCH = 32, 16


def evaluating(setting: Setting) -> Iterator[Found]:
    """A row for the limit and one for an evaluation of photos of noise, by PGD and SLGS at their defaults."""
    model = setting.classifier
    # Photos of noise have no right label: those that count as wrong are attacked too.
    plan = Plan({"pgd": PGD()}, {"slgs": DEFENSES["slgs"]()}, attack_wrong=True)
    selection = Selection(None, 0, BATCH, model.working_size)
    with tempfile.TemporaryDirectory() as folder:
        entrants = entrants_of(model, plan, PHOTOS, selection, Path(folder))
        yield from race(PART, "PGD and SLGS", BATCH, entrants, setting.clock, seconds=setting.seconds)


def entrants_of(
    classifier: Classifier, plan: Plan, photos: int, selection: Selection, folder: Path
) -> list[Entrant]:
    """The bare passes, and the evaluation of ``photos`` files in ``folder``, a new run each time."""
    write_photos(folder / "photos", photos, 2 * selection.size, classifier.labels[0])
    source = open_source(str(folder / "photos"))
    numbers = itertools.count()

    def work() -> None:
        evaluate(Run(folder / f"run-{next(numbers)}"), source, classifier, plan, selection)

    return [
        Entrant(LIMIT[0], bare(classifier, passes_of(classifier, work))),
        Entrant("Unfool", work, over=LIMIT),
    ]


def write_photos(folder: Path, count: int, side: int, label: str) -> None:
    """``count`` JPEG files of noise."""
    generator = torch.Generator().manual_seed(0)
    (folder / label).mkdir(parents=True)
    for number in range(count):
        coarse = torch.randint(0, 256, (side // 8, side // 8, 3), generator=generator, dtype=torch.uint8)
        picture = Image.fromarray(coarse.numpy()).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / label / f"{number:06d}.jpg", quality=90)
