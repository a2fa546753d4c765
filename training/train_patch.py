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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import classifiers  # noqa: E402 - the path above makes the script runnable by its file name
from attacks.base import eight_bit, probability_of, uniforms  # noqa: E402
from attacks.lavan import likeliest_other, margin, step_up  # noqa: E402
from attacks.placement import Box, box_for  # noqa: E402
from attacks.stickers import Stickers, scattered, straight, stuck  # noqa: E402
from attacks.universal_patch import resized  # noqa: E402
from classifiers.base import Classifier  # noqa: E402
from photos import gallery_photo  # noqa: E402
from training import CHECKPOINTS  # noqa: E402
from training.labelled_photos import centre_crops, decode_all, list_photos, random_crop  # noqa: E402
from training.recipes import add_recipe_options, recipe_with  # noqa: E402

SCHEDULES = ("even", "paper")
OBJECTIVES = ("margin", "probability")
STEPPINGS = ("sign", "gradient")
TURN = 20.0
"""Degrees to either side by which a patch is turned when it is measured."""


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes the patch; written into the card."""

    target: str = "golf ball"
    share: float = 0.10
    x: float = 1.0
    y: float = 0.0
    margin: float = 10 / 400
    start: str = "noise"
    anywhere: bool = False
    rotation: float = 0.0
    scale: float = 1.0
    light: float = 0.0
    steps: int = 150
    batch: int = 32
    smallest_crop: float = 0.5
    objective: str = "margin"
    stepping: str = "sign"
    schedule: str = "even"
    learning_rate: float = 0.2
    momentum: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("schedule", SCHEDULES), ("objective", OBJECTIVES), ("stepping", STEPPINGS)):
            if getattr(self, name) not in known:
                raise ValueError(f"the {name} is {' or '.join(known)}, not {getattr(self, name)!r}")

    def box(self, side: int) -> Box:
        """Where the patch lies on photos of ``side`` x ``side`` px."""
        return box_for(side, side, self.share, self.x, self.y, self.margin)

    def rate(self, step: int) -> float:
        """Learning rate of a step: falls evenly to nothing, or as the papers' does.

        Theirs is 1 for 160 epochs, 0.1 for 20 and 0.01 for 20: constant for 8 tenths, and so on.
        """
        share = step / self.steps
        if self.schedule == "even":
            return self.learning_rate * (1 - share)
        return self.learning_rate * (1.0 if share < 0.8 else 0.1 if share < 0.9 else 0.01)

    def stickers(self, box: Box, count: int, size: int, generator: torch.Generator) -> Stickers:
        """How the patch lies on ``count`` photos of ``size`` px while it learns."""
        lying = {name: getattr(self, name) for name in ("anywhere", "rotation", "scale", "light")}
        return scattered(box, count, size, generator, **lying)


RECIPES = {
    "lavan": Recipe(),
    "adversarial-patch": Recipe(
        share=0.05, anywhere=True, rotation=22.5, scale=1.25, light=0.2, steps=400, objective="probability"
    ),
}
"""Kind of patch -> how it is trained unless the command says otherwise."""


class Training:
    """The patch, its velocity and the number of finished steps: what a checkpoint holds."""

    def __init__(self, recipe: Recipe, model: Classifier) -> None:
        self.recipe = recipe
        self.model = model
        self.target = model.index(recipe.target)
        self.box = recipe.box(model.working_size)
        self.step = 0
        self.patch = first_patch(recipe, self.box.side, model.mean)
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

    def learn(self, photos: Tensor, generator: torch.Generator) -> dict[str, float]:
        """One step on photos (B, 3, S, S) in [0, 1], up the mean of the recipe's objective.

        It is the target's margin over the next label (LaVAN), or the logarithm of its probability
        (Adversarial Patch). ``generator`` says how the patch lies on the photos. Returns the share that it
        fooled before the step, and the target's mean probability.
        """
        stickers = self.recipe.stickers(self.box, len(photos), photos.shape[-1], generator)
        patch = self.patch.requires_grad_()
        logits = self.model(stuck(photos, patch, stickers)[0])
        target = torch.full((len(photos),), self.target, device=photos.device)
        if self.recipe.objective == "margin":
            gain = margin(logits, target, likeliest_other(logits.detach(), target)).mean()
        else:
            gain = -F.cross_entropy(logits, target)
        gradient = torch.autograd.grad(gain, patch)[0]
        step = step_up if self.recipe.stepping == "sign" else plain_step_up
        rate = self.recipe.rate(self.step)
        self.patch, self.velocity = step(patch.detach(), gradient, self.velocity, rate, self.recipe.momentum)
        self.step += 1
        fooled = (logits.argmax(1) == target).float().mean().item()
        return {"fooled": fooled, "probability": probability_of(target, logits.detach()).mean().item()}


def plain_step_up(
    patch: Tensor, gradient: Tensor, velocity: Tensor, learning_rate: float, momentum: float
) -> tuple[Tensor, Tensor]:
    """As ``step_up``, but along the gradient as it is: stochastic gradient ascent, as both papers do it."""
    velocity = momentum * velocity + gradient
    return (patch + learning_rate * velocity).clamp(0, 1), velocity


BEGINNINGS = {"noise": "random noise", "grey": "plain grey"}


def first_patch(recipe: Recipe, side: int, like: Tensor) -> Tensor:
    """What learning begins with, (1, 3, side, side): noise, grey, or one of the gallery's photos.

    Raises:
        PhotoError: the gallery has no such photo.
    """
    if recipe.start == "noise":
        return uniforms((1, 3, side, side), recipe.seed, like).contiguous()
    if recipe.start == "grey":
        return torch.full((1, 3, side, side), 0.5, device=like.device)
    return resized(gallery_photo(recipe.start).working(128)[0], side)[None].to(like)


def train(training: Training, files: list[Path], checkpoint: Path) -> None:
    """All steps that are left; after each the checkpoint is replaced and a line is logged."""
    recipe, model = training.recipe, training.model
    while training.step < recipe.steps:
        began = time.monotonic()
        # A stream of its own for each step, so that a resumed training draws what an unbroken one draws.
        generator = torch.Generator().manual_seed(1_000_000 * recipe.seed + training.step)
        chosen = torch.randint(len(files), (recipe.batch,), generator=generator).tolist()
        crops = [
            random_crop(photo, model.working_size, generator, recipe.smallest_crop)[0]
            for photo in decode_all([files[number] for number in chosen])
        ]
        result = training.learn(torch.stack(crops).to(model.device) / 255, generator)
        written = checkpoint.with_suffix(".part")
        torch.save(training.state(), written)
        written.replace(checkpoint)
        line = {"step": training.step} | {name: round(value, 3) for name, value in result.items()}
        print(json.dumps(line | {"seconds": round(time.monotonic() - began, 1)}), flush=True)


@torch.inference_mode()
def measure(patch: Tensor, training: Training, files: list[Path], batch: int = 64) -> dict[str, Any]:
    """How often ``patch`` (1, 3, side, side) brings its target about, on photos not called so without it.

    At its place; turned there by up to ``TURN`` degrees to either side; and anywhere.
    """
    model, target, box = training.model, training.target, training.box
    generator = torch.Generator().manual_seed(training.recipe.seed)
    clean: list[Tensor] = []
    chances: dict[str, list[Tensor]] = {"at its place": [], "turned": [], "anywhere": []}
    for photos in centre_crops(files, model.working_size).split(batch):
        x = photos.to(model.device) / 255
        size = x.shape[-1]
        clean.append(model(x).argmax(1).cpu())
        lying = (
            straight(box, len(x)),
            scattered(box, len(x), size, generator, rotation=TURN, anywhere=False),
            scattered(box, len(x), size, generator),
        )
        for kept, stickers in zip(chances.values(), lying, strict=True):
            kept.append(model(stuck(x, patch, stickers)[0]).softmax(1).cpu())
    counted = torch.cat(clean) != target
    found = {name: torch.cat(kept)[counted] for name, kept in chances.items()}
    shares = {name: (chance.argmax(1) == target).float().mean().item() for name, chance in found.items()}
    probability = found["at its place"][:, target].mean().item()
    return {
        "photos": int(counted.sum()),
        "fooled": round(shares["at its place"], 4),
        "probability": round(probability, 4),
        "fooled turned": round(shares["turned"], 4),
        "fooled anywhere": round(shares["anywhere"], 4),
    }


def write_assets(training: Training, name: str, files: list[Path], folder: Path) -> dict[str, Any]:
    """``name.safetensors`` (the patch as uint8) and ``name.json``, the card, which is returned."""
    rounded = eight_bit(training.patch)
    data = safetensors.torch.save({"patch": (rounded[0] * 255).round().to("cpu", torch.uint8).contiguous()})
    recipe = training.recipe
    card = {
        "name": name,
        "kind": "adversarial-patch" if recipe.anywhere else "lavan",
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
            f"Learned from {BEGINNINGS.get(recipe.start) or f'the photo {recipe.start} of scikit-image'} by "
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
    parser.add_argument("--classifier", default=classifiers.BUILTIN)
    parser.add_argument("--device")
    parser.add_argument("--name", help="of the files; by default the target with dashes")
    parser.add_argument("--checkpoint", type=Path, help="goes on from there")
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "patches")
    parser.add_argument("--kind", choices=tuple(RECIPES), default="lavan")
    add_recipe_options(parser, Recipe())
    given = vars(parser.parse_args(arguments))
    recipe = recipe_with(RECIPES[given["kind"]], given)
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
