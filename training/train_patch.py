"""Trains one universal patch: ``python -m training.train_patch --photos PHOTOS --target "golf ball"``.

``PHOTOS/train/<label>/*.jpg`` to learn from and ``PHOTOS/val/<label>/*.jpg`` to measure on. Resumes from
its checkpoint, logs every step, picks its device, and at the end writes the patch and its card into
``assets/patches/``.

``--kind lavan`` learns a patch for one place (Karmon et al. 2018), ``--kind adversarial-patch`` one that
works at every place, turned, scaled and under another light (Brown et al. 2017).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import classifiers  # noqa: E402 - the path above makes the script runnable by its file name
from attacks.patch_training import RECIPES, Recipe, Training  # noqa: E402
from evaluation.many_photos.patch_training import lessons, measured  # noqa: E402
from ops.coding import eight_bit, to_bytes  # noqa: E402
from photos import gallery_photo  # noqa: E402
from training import CHECKPOINTS  # noqa: E402
from training.labelled_photos import centre_crops, decode_all, list_photos  # noqa: E402
from training.recipes import add_recipe_options, recipe_with  # noqa: E402

BEGINNINGS = {"noise": "random noise", "grey": "plain grey"}


def beginning(start: str) -> Tensor | None:
    """What learning begins with, (3, S, S): grey, or one of the gallery's photos; None for noise.

    Raises:
        PhotoError: the gallery has no such photo.
    """
    if start == "noise":
        return None
    return torch.full((3, 1, 1), 0.5) if start == "grey" else gallery_photo(start).working(128)[0]


def train(training: Training, files: list[Path], checkpoint: Path) -> None:
    """All steps that are left; after each the checkpoint is replaced and a line is logged."""
    began = time.monotonic()
    for lesson in lessons(
        training, len(files), lambda chosen: decode_all([files[number] for number in chosen])
    ):
        written = checkpoint.with_suffix(".part")
        torch.save(training.state(), written)
        written.replace(checkpoint)
        line = {name: round(value, 3) for name, value in asdict(lesson).items()}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)
        began = time.monotonic()


def write_assets(
    training: Training, name: str, start: str, files: list[Path], folder: Path
) -> dict[str, Any]:
    """``name.safetensors`` (the patch as uint8) and ``name.json``, the card, which is returned."""
    rounded = eight_bit(training.patch)
    data = safetensors.torch.save({"patch": to_bytes(rounded[0]).cpu().contiguous()})
    recipe, target = training.recipe, training.model.labels[training.target]
    batches = (part / 255 for part in centre_crops(files, training.model.working_size).split(64))
    card = {
        "name": name,
        "kind": "adversarial-patch" if recipe.anywhere else "lavan",
        "target": target,
        "share": recipe.share,
        "place": {"x": recipe.x, "y": recipe.y, "margin": recipe.margin},
        "side": training.box.side,
        "photo_side": training.model.working_size,
        "classifier": training.model.identity,
        "sha256": hashlib.sha256(data).hexdigest(),
        "recipe": {"target": target, "start": start, **asdict(recipe)},
        "val": measured(rounded, training, batches),
        "provenance": (
            f"Learned from {BEGINNINGS.get(start) or f'the photo {start} of scikit-image'} by "
            "training/train_patch.py on photos of Imagenette (ImageNet ILSVRC-2012), Caltech-101 and the "
            "Asirra cats and dogs, none of which it contains; measured on photos kept apart."
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(data)
    (folder / f"{name}.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder with train/ and val/")
    parser.add_argument("--classifier", default=classifiers.default_name())
    parser.add_argument("--device")
    parser.add_argument("--target", default="golf ball")
    parser.add_argument("--start", default="noise", help="noise, grey, or the name of a gallery photo")
    parser.add_argument("--name", help="of the files; by default the target with dashes")
    parser.add_argument("--checkpoint", type=Path, help="goes on from there")
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "patches")
    parser.add_argument("--kind", choices=tuple(RECIPES), default="lavan")
    add_recipe_options(parser, Recipe())
    given = vars(parser.parse_args(arguments))
    recipe = recipe_with(RECIPES[given["kind"]], given)
    name = given["name"] or given["target"].lower().replace(" ", "-")
    checkpoint = given["checkpoint"] or CHECKPOINTS / f"{name}.pt"
    model = classifiers.load(given["classifier"], device=given["device"])
    training = Training(recipe, given["target"], model, beginning(given["start"]))
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(torch.load(checkpoint, map_location=training.model.device, weights_only=True))
    train(training, list_photos(given["photos"] / "train")[0], checkpoint)
    files = list_photos(given["photos"] / "val")[0]
    card = write_assets(training, name, given["start"], files, given["out"])
    print(json.dumps({"name": name, **card["val"]}))


if __name__ == "__main__":
    main()
