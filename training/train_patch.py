"""Trains one universal patch: ``python -m training.train_patch --photos PHOTOS --target "golf ball"``.

``PHOTOS/train/<label>/*.jpg`` to learn from and ``PHOTOS/val/<label>/*.jpg`` to measure on, unless
``--measure-on`` names other photos. Resumes from its checkpoint, logs every step, picks its device, and at
the end writes the patch and its card into ``assets/patches/``. A training that is finished is only measured.

``--kind lavan`` learns a patch for one place (Karmon et al. 2018), ``--kind adversarial-patch`` one that
works at every place, turned, scaled and under another light (Brown et al. 2017).
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentTypeError
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

import classifiers
from attacks import universal_patch
from attacks.patch_training import RECIPES, Recipe, Training
from classifiers.weights import sha256
from evaluation.many_photos.evaluate import Selection
from evaluation.many_photos.patch_training import lessons, measured
from ops.coding import eight_bit, from_bytes, to_bytes
from photos import Source, gallery_photo, open_source
from training.assets import PHOTOS, write_weights
from training.checkpoint import FOLDER, Checkpoint
from training.labelled_photos import centre_crops, decode_all
from training.recipes import add_recipe_options, recipe_with, training_parser

_BATCH = 64
"""Photos that are measured together."""
BEGINNINGS = {"noise": "random noise", "grey": "plain grey"}


def beginning(start: str) -> Tensor | None:
    """What learning begins with, (3, S, S): grey, or one of the gallery's photos; None for noise.

    Raises:
        PhotoError: the gallery has no such photo.
    """
    if start == "noise":
        return None
    return (
        torch.full((3, 1, 1), 0.5) if start == "grey" else gallery_photo(start).working(128, crop_share=1)[0]
    )


def train(training: Training, photos: Source, checkpoint: Checkpoint) -> None:
    """All steps that are left; after each the checkpoint is replaced and a line is logged."""
    began = time.monotonic()
    for lesson in lessons(training, len(photos), lambda numbers: decode_all(photos, numbers)):
        checkpoint.save(training.state())
        line = {name: round(value, 3) for name, value in asdict(lesson).items()}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
        began = time.monotonic()


def measurement(
    patch: Tensor, training: Training, sources: Sequence[Source], limit: int | None
) -> dict[str, Any]:
    """The card's ``val``: what ``patch`` (1, 3, side, side) does to photos of all ``sources`` together.

    Beside the figures of ``Effect`` it has their 95 % ``intervals`` by Wilson, and ``sources``: for each its
    ``name``, how many photos it is ``of``, how many were ``drawn`` from it, and its own figures.

    Args:
        patch: in [0, 1], as it is kept.
        training: what it was trained by.
        sources: at least one.
        limit: how many photos of each, drawn by the recipe's seed; None for all.
    """
    side, crop_share = training.model.working_size, training.model.crop_share
    selection = Selection(limit, training.recipe.seed, _BATCH, side)
    rows, effects = [], []
    for source in sources:
        blocks = selection.blocks(len(source))
        crops = (centre_crops(source, side, crop_share, block) for block in blocks)
        effect = measured(patch, training, (from_bytes(part) for part in crops))
        drawn = {"name": Path(source.name).name, "of": len(source), "drawn": sum(map(len, blocks))}
        rows.append({**drawn, **effect.figures})
        effects.append(effect)
    together = sum(effects[1:], effects[0])
    return {**together.figures, "intervals": together.intervals, "sources": rows}


def write_assets(
    training: Training,
    name: str,
    start: str,
    sources: Sequence[Source],
    folder: Path,
    limit: int | None = None,
) -> dict[str, Any]:
    """``name.safetensors`` (the patch as uint8) and ``name.json``, the card, which is returned.

    ``sources`` and ``limit`` are those of ``measurement``.
    """
    rounded = eight_bit(training.patch)
    data = safetensors.torch.save({"patch": to_bytes(rounded[0]).cpu().contiguous()})
    recipe, target = training.recipe, training.model.labels[training.target]
    card = {
        "name": name,
        "kind": "adversarial-patch" if recipe.anywhere else "lavan",
        "target": target,
        "share": recipe.share,
        "place": {"x": recipe.x, "y": recipe.y, "margin": recipe.margin},
        "side": training.box.side,
        "photo_side": training.model.working_size,
        "classifier": training.model.identity,
        "sha256": sha256(data),
        "recipe": {"target": target, "start": start, **asdict(recipe)},
        "val": measurement(rounded, training, sources, limit),
        "provenance": (
            f"Learned from {BEGINNINGS.get(start) or f'the photo {start} of scikit-image'} by "
            f"training/train_patch.py on {PHOTOS}, none of which it contains; measured on photos kept apart."
        ),
    }
    write_weights(folder, name, data, card)
    return card


def _count(word: str) -> int:
    """A number of photos, at least 1."""
    if not word.isdecimal() or int(word) < 1:
        raise ArgumentTypeError(f"a number of photos, at least 1, not {word}")
    return int(word)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = training_parser(__doc__)
    parser.add_argument("--classifier", default=classifiers.default_name(), help="that is to be fooled")
    parser.add_argument("--device", help="cpu or cuda; by default the best there is")
    parser.add_argument("--target", default="golf ball", help="the label that the classifier is to predict")
    parser.add_argument("--start", default="noise", help="noise, grey, or the name of a gallery photo")
    parser.add_argument("--name", help="of the files; by default the target with dashes")
    parser.add_argument("--checkpoint", type=Path, help="continues from there, and is kept there")
    parser.add_argument(
        "--out", type=Path, default=universal_patch.FOLDER, help="folder of the patch and its card"
    )
    parser.add_argument(
        "--measure-on",
        metavar="SOURCE",
        nargs="+",
        help="photos that it never saw, any SOURCE of cli.py evaluate; by default PHOTOS/val",
    )
    parser.add_argument(
        "--measure-limit",
        metavar="N",
        type=_count,
        help="at most so many photos of each, drawn by the seed; by default all",
    )
    parser.add_argument("--kind", choices=tuple(RECIPES), default="lavan", help="of patch: its recipe")
    add_recipe_options(parser, Recipe(), RECIPES)
    given = vars(parser.parse_args(arguments))
    recipe = recipe_with(RECIPES[given["kind"]], given)
    name = given["name"] or given["target"].lower().replace(" ", "-")
    model = classifiers.load(given["classifier"], device=given["device"])
    training = Training(recipe, given["target"], model, beginning(given["start"]))
    owner = {
        "recipe": asdict(recipe),
        "target": training.target,
        "classifier": model.identity,
        "start": given["start"],
    }
    checkpoint = Checkpoint(given["checkpoint"] or FOLDER / f"{name}.pt", owner)
    checkpoint.resume(training, model.device)
    # Before the training, so that a wrong name is not noticed only after hours.
    apart = [open_source(text) for text in given["measure_on"] or [str(given["photos"] / "val")]]
    train(training, open_source(str(given["photos"] / "train")), checkpoint)
    card = write_assets(training, name, given["start"], apart, given["out"], given["measure_limit"])
    print(json.dumps({"name": name, **card["val"]}))


if __name__ == "__main__":
    main()
