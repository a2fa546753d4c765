"""Trains one universal patch: ``python -m training.train_patch --photos PHOTOS --target "golf ball"``.

``PHOTOS/train/<label>/*.jpg`` to learn from and ``PHOTOS/val/<label>/*.jpg`` to measure on. Resumes from
its checkpoint, logs every step, picks its device, and at the end writes the patch and its card into
``assets/patches/``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import classifiers  # noqa: E402 - the path above makes the script runnable by its file name
from attacks.base import eight_bit, probability_of, uniforms  # noqa: E402
from attacks.lavan import likeliest_other, margin, step_up  # noqa: E402
from attacks.placement import Box, box_for, pasted  # noqa: E402
from classifiers.base import Classifier  # noqa: E402
from training import CHECKPOINTS  # noqa: E402
from training.labelled_photos import centre_crops, decode_all, list_photos, random_crop  # noqa: E402


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the patch; written into the card."""

    target: str = "golf ball"
    share: float = 0.10
    x: float = 1.0
    y: float = 0.0
    margin: float = 10 / 400
    steps: int = 150
    batch: int = 32
    smallest_crop: float = 0.5
    learning_rate: float = 0.2
    momentum: float = 0.5
    seed: int = 0

    def box(self, side: int) -> Box:
        """Where the patch lies on photos of ``side`` x ``side`` px."""
        return box_for(side, side, self.share, self.x, self.y, self.margin)

    def rate(self, step: int) -> float:
        """Learning rate of a step: falls evenly to nothing."""
        return self.learning_rate * (1 - step / self.steps)


class Training:
    """The patch, its velocity and the number of finished steps: what a checkpoint holds."""

    def __init__(self, recipe: Recipe, model: Classifier) -> None:
        self.recipe = recipe
        self.model = model
        self.target = model.index(recipe.target)
        self.box = recipe.box(model.working_size)
        self.step = 0
        shape = (1, 3, self.box.side, self.box.side)
        self.patch = uniforms(shape, recipe.seed, model.mean).contiguous()
        self.velocity = torch.zeros_like(self.patch)

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {
            "recipe": asdict(self.recipe),
            "classifier": self.model.identity,
            "step": self.step,
            "patch": self.patch,
            "velocity": self.velocity,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was written.

        Raises:
            ValueError: the checkpoint belongs to another recipe or classifier.
        """
        if state["recipe"] != asdict(self.recipe) or state["classifier"] != self.model.identity:
            raise ValueError(
                "the checkpoint belongs to another recipe or classifier; give another --checkpoint"
            )
        self.step, self.patch, self.velocity = state["step"], state["patch"], state["velocity"]

    def learn(self, photos: Tensor) -> dict[str, float]:
        """One step on photos (B, 3, S, S) in [0, 1], up the target's mean margin over the next label.

        Returns the share that the patch fooled before the step, and the target's mean probability.
        """
        photos = pasted(photos, self.box, self.patch).requires_grad_()
        logits = self.model(photos)
        target = torch.full((len(photos),), self.target, device=photos.device)
        gain = margin(logits, target, likeliest_other(logits.detach(), target)).mean()
        gradient = self.box.of(torch.autograd.grad(gain, photos)[0]).sum(0, keepdim=True)
        rate = self.recipe.rate(self.step)
        self.patch, self.velocity = step_up(self.patch, gradient, self.velocity, rate, self.recipe.momentum)
        self.step += 1
        fooled = (logits.argmax(1) == target).float().mean().item()
        return {"fooled": fooled, "probability": probability_of(target, logits.detach()).mean().item()}


def train(training: Training, files: list[Path], checkpoint: Path) -> None:
    """All steps that are left; after each the checkpoint is replaced and a line is logged."""
    recipe, model = training.recipe, training.model
    while training.step < recipe.steps:
        began = time.monotonic()
        # A stream of its own for each step, so that a resumed training draws what an unbroken one draws.
        generator = torch.Generator().manual_seed(1_000_000 * recipe.seed + training.step)
        chosen = torch.randint(len(files), (recipe.batch,), generator=generator).tolist()
        crops = [
            random_crop(photo, model.working_size, generator, recipe.smallest_crop)
            for photo in decode_all([files[number] for number in chosen])
        ]
        result = training.learn(torch.stack(crops).to(model.device) / 255)
        written = checkpoint.with_suffix(".part")
        torch.save(training.state(), written)
        written.replace(checkpoint)
        line = {"step": training.step} | {name: round(value, 3) for name, value in result.items()}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)


@torch.inference_mode()
def measure(patch: Tensor, training: Training, files: list[Path], batch: int = 64) -> dict[str, Any]:
    """How often ``patch`` (1, 3, side, side) brings its target about, on photos not called so without it."""
    model, target = training.model, training.target
    clean, attacked = [], []
    for photos in centre_crops(files, model.working_size).split(batch):
        x = photos.to(model.device) / 255
        clean.append(model(x).argmax(1).cpu())
        attacked.append(model(pasted(x, training.box, patch)).softmax(1).cpu())
    counted = torch.cat(clean) != target
    chances = torch.cat(attacked)[counted]
    return {
        "photos": len(chances),
        "fooled": round((chances.argmax(1) == target).float().mean().item(), 4),
        "probability": round(chances[:, target].mean().item(), 4),
    }


def write_assets(training: Training, name: str, files: list[Path], folder: Path) -> dict[str, Any]:
    """``name.safetensors`` (the patch as uint8) and ``name.json``, the card, which is returned."""
    rounded = eight_bit(training.patch)
    data = safetensors.torch.save({"patch": (rounded[0] * 255).round().to("cpu", torch.uint8).contiguous()})
    recipe = training.recipe
    card = {
        "name": name,
        "target": training.model.labels[training.target],
        "share": recipe.share,
        "place": {"x": recipe.x, "y": recipe.y, "margin": recipe.margin},
        "side": training.box.side,
        "photo_side": training.model.working_size,
        "classifier": training.model.identity,
        "sha256": hashlib.sha256(data).hexdigest(),
        "recipe": asdict(recipe),
        "val": measure(rounded, training, files),
        "provenance": (
            "Learned from random noise by training/train_patch.py on photos of Imagenette (ImageNet "
            "ILSVRC-2012), Caltech-101 and the Asirra cats and dogs, none of which it contains; measured on "
            "photos kept apart."
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
    parser.add_argument("--classifier", default=classifiers.BUILTIN)
    parser.add_argument("--device")
    parser.add_argument("--name", help="of the files; by default the target with dashes")
    parser.add_argument("--checkpoint", type=Path, help="goes on from there")
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "patches")
    for field, value in asdict(Recipe()).items():
        parser.add_argument("--" + field.replace("_", "-"), type=type(value), default=value)
    given = vars(parser.parse_args(arguments))
    recipe = Recipe(**{field: given[field] for field in asdict(Recipe())})
    name = given["name"] or recipe.target.lower().replace(" ", "-")
    checkpoint = given["checkpoint"] or CHECKPOINTS / f"{name}.pt"
    training = Training(recipe, classifiers.load(given["classifier"], device=given["device"]))
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        training.load(torch.load(checkpoint, map_location=training.model.device, weights_only=True))
    train(training, list_photos(given["photos"] / "train")[0], checkpoint)
    card = write_assets(training, name, list_photos(given["photos"] / "val")[0], given["out"])
    print(json.dumps({"name": name, **card["val"]}))


if __name__ == "__main__":
    main()
