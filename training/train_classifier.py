"""Trains a built-in classifier: ``python -m training.train_classifier --photos PHOTOS [--name vgg]``.

``PHOTOS/train/<label>/*.jpg`` and ``PHOTOS/val/<label>/*.jpg``. Resumes from its checkpoint, at most ``SAVE``
seconds back, logs each epoch, picks its device, and at the end writes the weights (half precision) and the
card into ``assets/``. A name begins with its recipe in ``RECIPES``; every part of a recipe is an option too,
for trials. ``--teacher builtin`` lets the first built-in classifier teach the other.

On a CPU most of the time goes into fresh memory unless glibc keeps what it has: set
``MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=16000000000``.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import classifiers
from classifiers.builtin import ASSETS, BUILTIN, builtin_files
from classifiers.network import POOLINGS, VGG_DEPTHS, VGG_WIDTHS, build
from classifiers.weights import sha256
from ops.coding import from_bytes
from ops.random_crop import random_crop
from photos import Source, open_source
from training.assets import PHOTOS, halved, write_weights
from training.checkpoint import FOLDER, Checkpoint
from training.descent import Descent
from training.label_maps import kept_label_maps, opinions
from training.labelled_photos import centre_crops, decode_all, labels_of
from training.recipes import Described, add_recipe_options, recipe_with, setting, training_parser

MEAN, STD = 0.45, 0.25
SAVE = 240.0
"""Seconds after which the checkpoint is replaced, or after the step that is then at work."""
SIDES = (160, 192, 224, 256)
"""Working sizes that are measured, in px; the app offers none under the first."""
PROVENANCE = (
    f"Trained from random weights by training/train_classifier.py on {PHOTOS}; measured on photos kept apart "
    "from them."
)


@dataclass(frozen=True)
class Recipe(Described):
    """Everything that shapes the weights; written into the card."""

    epochs: int = setting(80, low=1, help="rounds of as many crops as there are photos")
    batch: int = setting(256, low=1, help="crops in a step")
    side_at: tuple[float, ...] = setting(
        (0.0, 0.45, 0.8875, 0.9, 1.0),
        low=0,
        high=1,
        help="shares of the epochs, rising, at which --sides hold",
    )
    sides: tuple[float, ...] = setting(
        (64.0, 128.0, 128.0, 160.0, 160.0), low=16, unit="px", help="side of the crops there, linear between"
    )
    smallest_crop: float = setting(0.3, low=0, high=1, help="smallest crop, as a share of the photo's area")
    sampling_power: float = setting(
        0.5,
        low=0,
        high=1,
        help="a label is drawn in proportion to its number of photos to this power; 0: all alike",
    )
    label_smoothing: float = setting(
        0.1, low=0, high=1, help="share of the wanted probability that is spread over all labels"
    )
    jitter: float = setting(
        0.3, low=0, high=1, help="the most by which brightness, contrast and colour change, as a share"
    )
    learning_rate: float = setting(
        0.01, low=0, help="highest rate of the convolutions; 0.3 of it for the rest"
    )
    weight_decay: float = setting(
        0.02, low=0, help="share by which a step of rate 1 shrinks the convolutions' weights"
    )
    rate_at: tuple[float, ...] = setting(
        (0.0, 0.015, 0.35, 0.55, 1.0),
        low=0,
        high=1,
        help="shares of the steps, rising, at which --rates hold",
    )
    rates: tuple[float, ...] = setting(
        (0.0, 1.0, 1.0, 0.42, 0.0),
        low=0,
        help="learning rate there as a share of the highest, linear between",
    )
    mixing: float = setting(
        0.6, low=0, high=1, help="share of the batches in which a part of each photo shows another photo"
    )
    mixing_at: tuple[float, float] = setting(
        (0.55, 0.95), low=0, high=1, help="shares of the steps between which photos are mixed"
    )
    averaging: float = setting(
        0.995, low=0, high=1, help="share of the running average of the weights that a step keeps"
    )
    teacher: str = setting("", help="name of a classifier that teaches beside the labels")
    opinion: float = setting(
        0.7, low=0, high=1, help="weight of the teacher's probabilities against the label"
    )
    seed: int = setting(0, low=0, help="number that fixes all that is drawn")
    architecture: str = setting("residual", choices=("residual", "vgg"), help="kind of network")
    widths: tuple[int, ...] = setting((40, 80, 160, 320), low=1, help="channels of each stage")
    depths: tuple[int, ...] = setting(
        (1, 2, 2, 2), low=1, help="residual blocks of each stage; convolutions of a vgg"
    )
    grid: int = setting(1, low=1, help="vgg: places along each side that the last pooling leaves")
    hidden: int = setting(0, low=0, help="vgg: units of the layer before the last; 0 for no such layer")
    slid: int = setting(
        0, low=0, high=2, help="vgg: fully connected layers that look at each place by itself"
    )
    pooling: str = setting("average", choices=tuple(POOLINGS), help="vgg: the last pooling")
    norm: bool = setting(True, help="vgg: batch norm behind every convolution")

    @property
    def options(self) -> dict[str, Any]:
        """What ``classifiers.network.build`` takes besides widths and depths."""
        if self.architecture == "residual":
            return {}
        return {name: getattr(self, name) for name in ("grid", "hidden", "slid", "pooling", "norm")}

    def side(self, epoch: int) -> int:
        """Training side in px, a multiple of 16: ``sides`` at ``side_at``; small ones are cheap."""
        return 16 * round(float(np.interp(epoch / self.epochs, self.side_at, self.sides)) / 16)

    def rate(self, share: float) -> float:
        """Learning rate after ``share`` of all steps, as a share of the highest: ``rates`` at ``rate_at``."""
        return float(np.interp(share, self.rate_at, self.rates))

    def mixes(self, share: float) -> float:
        """Share of the batches whose photos are mixed, after ``share`` of all steps; the last are whole."""
        first, last = self.mixing_at
        return self.mixing if first <= share < last else 0.0


RECIPES = {
    "": Recipe(),
    "vgg": Recipe(
        epochs=54,
        side_at=(0.0, 0.277, 0.278, 0.703, 0.7037, 0.888, 0.889, 1.0),
        sides=(64.0, 64.0, 96.0, 96.0, 128.0, 128.0, 160.0, 160.0),
        # A maximum over more places needs weights that know them: the rate rises once more for the last size.
        rate_at=(0.0, 0.014, 0.324, 0.509, 0.926, 0.931, 1.0),
        rates=(0.0, 1.0, 1.0, 0.42, 0.0, 0.15, 0.0),
        mixing_at=(0.509, 0.88),
        teacher="builtin",
        architecture="vgg",
        widths=VGG_WIDTHS,
        depths=VGG_DEPTHS,
        hidden=512,
        slid=1,
        pooling="max",
    ),
}
"""Name of a built-in classifier behind ``builtin-`` -> how it is trained."""


def normalised(photos: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] as the network takes it."""
    return ((photos - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def jittered(photos: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and colour of each photo scaled by 1 ± ``strength``; (B, 3, H, W) in [0, 1]."""
    factors = 1 + strength * (2 * torch.rand(3, photos.shape[0], 1, 1, 1, generator=generator) - 1)
    brightness, contrast, colour = factors.to(photos.device)
    photos = photos * brightness
    level = photos.mean((1, 2, 3), keepdim=True)
    photos = level + (photos - level) * contrast
    grey = photos.mean(1, keepdim=True)
    return (grey + (photos - grey) * colour).clamp(0, 1)


def mixed(photos: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """A part of each photo covered by another of the batch: photos, number of the other, share of its area.

    One box for the whole batch. It shows what lies in it on the other photo (CutMix, Yun et al. 2019), or,
    half of the times, all of the other photo in small: an object is not always large, nor alone.
    """
    side = photos.shape[-1]
    size, top, left, shrink = torch.rand(4, generator=generator).tolist()
    box = max(1, round(side * (0.3 + 0.5 * size)))
    top, left = round(top * (side - box)), round(left * (side - box))
    other = torch.randperm(len(photos), generator=generator).to(photos.device)
    rows, columns = slice(top, top + box), slice(left, left + box)
    if shrink < 0.5:
        part = F.interpolate(photos[other], (box, box), mode="bilinear", antialias=True)
    else:
        part = photos[other][..., rows, columns]
    photos = photos.clone()
    photos[..., rows, columns] = part
    return photos, other, (box / side) ** 2


@torch.inference_mode()
def predict(network: nn.Module, photos: Tensor, device: torch.device, batch: int = 64) -> Tensor:
    """Logits (N, labels) of (N, 3, S, S) uint8 photos."""
    network.eval()
    return torch.cat([network(normalised(from_bytes(part.to(device)))).cpu() for part in photos.split(batch)])


def accuracy(logits: Tensor, labels: Tensor, top: int) -> float:
    """Share of rows whose label is among the ``top`` largest logits."""
    return (logits.topk(min(top, logits.shape[1])).indices == labels[:, None]).any(1).float().mean().item()


class Training:
    """A network that learns, and the number of finished steps: what a checkpoint holds."""

    def __init__(self, recipe: Recipe, labels: int, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.labels = labels
        self.steps = 0
        self.losses: list[float] = []
        self.network = build(recipe.architecture, labels, recipe.widths, recipe.depths, recipe.options)
        for module in self.network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        self.network.to(device).to(memory_format=torch.channels_last)
        self.descent = Descent(self.network, recipe.learning_rate, recipe.weight_decay, recipe.averaging)

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {"steps": self.steps, "losses": self.losses, **self.descent.state()}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken."""
        self.steps, self.losses = state["steps"], state["losses"]
        self.descent.load(state)

    def step(self, photos: Tensor, wanted: Tensor, share: float, generator: torch.Generator) -> None:
        """One update, after ``share`` of all steps.

        Photos are (B, 3, H, W) in [0, 1]; ``wanted`` (B, labels) are the probabilities to be said of them.
        """
        if torch.rand((), generator=generator).item() < self.recipe.mixes(share):
            photos, other, area = mixed(photos, generator)
            wanted = (1 - area) * wanted + area * wanted[other]
        loss = F.cross_entropy(self.network(normalised(photos)), wanted)
        self.descent.update(loss, self.recipe.rate(share))
        self.steps += 1
        self.losses.append(loss.item())


def targets(labels: Tensor, taught: Tensor | None, count: int, recipe: Recipe) -> Tensor:
    """What the network is to say, (B, count): the smoothed ``labels`` (B,), and the teacher's opinion.

    ``taught`` (B, count) are the teacher's probabilities, None where nobody teaches.
    """
    wanted = (1 - recipe.label_smoothing) * F.one_hot(labels, count) + recipe.label_smoothing / count
    return wanted if taught is None else (1 - recipe.opinion) * wanted + recipe.opinion * taught


def train(
    training: Training, photos: list[Tensor], labels: Tensor, maps: Tensor | None, checkpoint: Checkpoint
) -> None:
    """All steps that are left, with the checkpoint replaced every ``SAVE`` seconds and after each epoch.

    ``maps`` are the teacher's label maps (N, labels, h, w), or None. The draws of a step depend on the seed
    and its number alone, so that a training goes on as if it had not been stopped. A thread prepares the next
    step while one runs.
    """
    recipe = training.recipe
    device = next(training.network.parameters()).device
    weights = labels.bincount().double().pow(recipe.sampling_power - 1)[labels]
    per_epoch = len(photos) // recipe.batch

    def prepared(step: int) -> tuple[Tensor, Tensor, torch.Generator]:
        """Photos of a step, what is to be said of them, and what draws the rest."""
        epoch, number = divmod(step, per_epoch)
        generator = torch.Generator().manual_seed(1000 * recipe.seed + epoch)
        order = torch.multinomial(weights, per_epoch * recipe.batch, replacement=True, generator=generator)
        numbers = order.split(recipe.batch)[number]
        generator.manual_seed(draws_of(recipe, step))
        side = recipe.side(epoch)
        crops = [random_crop(photos[i], side, generator, recipe.smallest_crop) for i in numbers.tolist()]
        batch = jittered(from_bytes(torch.stack([crop for crop, _ in crops])), recipe.jitter, generator)
        taught = None
        if maps is not None:
            taught = opinions(maps[numbers], torch.tensor([part for _, part in crops]))
        return batch, targets(labels[numbers], taught, training.labels, recipe), generator

    training.network.train()
    began = time.monotonic()
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(prepared, training.steps)
        while training.steps < recipe.epochs * per_epoch:
            batch, wanted, generator = coming.result()
            coming = ahead.submit(prepared, training.steps + 1)
            epoch, number = divmod(training.steps, per_epoch)
            torch.manual_seed(draws_of(recipe, training.steps))  # dropout knows no other generator
            share = training.steps / (recipe.epochs * per_epoch)
            training.step(batch.to(device), wanted.to(device), share, generator)
            if number + 1 == per_epoch:
                now = time.monotonic()
                loss = round(sum(training.losses) / len(training.losses), 4)
                line = {"epoch": epoch + 1, "side": recipe.side(epoch), "loss": loss}
                print(json.dumps(line | {"seconds": round(now - began)}), flush=True)
                training.losses.clear()
                began = now
            if number + 1 == per_epoch or checkpoint.age >= SAVE:
                checkpoint.save(training.state())


def draws_of(recipe: Recipe, step: int) -> int:
    """The seed of all that is drawn in a step."""
    return (recipe.seed + 1) * 10**7 + step


def measure(
    network: nn.Module, photos: Source, labels: tuple[str, ...], device: torch.device
) -> dict[str, Any]:
    """Accuracy on ``photos`` by working size, and by label at the best of them."""
    truth = torch.tensor([labels.index(photos.label(number)) for number in range(len(photos))])
    by_side: dict[str, dict[str, float]] = {}
    logits: dict[int, Tensor] = {}
    for side in SIDES:
        logits[side] = predict(network, centre_crops(photos, side, crop_share=1), device)
        by_side[str(side)] = {f"top{k}": round(accuracy(logits[side], truth, k), 4) for k in (1, 5)}
    best = max(SIDES, key=lambda side: by_side[str(side)]["top1"])
    right = (logits[best].argmax(1) == truth).float()
    by_label = {label: round(right[truth == i].mean().item(), 3) for i, label in enumerate(labels)}
    return {
        "photos": len(photos),
        "side": best,
        "by_side": by_side,
        "by_label": by_label,
        **by_side[str(best)],
    }


def with_name(stem: str, name: str) -> str:
    """``stem``, and ``name`` behind a dash if there is one."""
    return f"{stem}-{name}" if name else stem


def write_assets(
    training: Training,
    name: str,
    labels: tuple[str, ...],
    accuracy: dict[str, Any],
    folder: Path,
    provenance: str = PROVENANCE,
) -> None:
    """Weights (half precision) and card of ``builtin-NAME``."""
    files = builtin_files(with_name(BUILTIN, name), folder)
    weights = safetensors.torch.save(halved(training.descent.average.state_dict()))
    card = {
        "name": with_name(BUILTIN, name),
        "architecture": training.recipe.architecture,
        "widths": training.recipe.widths,
        "depths": training.recipe.depths,
        "options": training.recipe.options,
        "labels": labels,
        "working_size": accuracy["side"],
        "saliency": "cam",
        "mean": [MEAN] * 3,
        "std": [STD] * 3,
        "sha256": sha256(weights),
        "recipe": asdict(training.recipe),
        "accuracy": accuracy,
        "provenance": provenance,
    }
    write_weights(folder, files.stem, weights, card)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = training_parser(__doc__)
    parser.add_argument("--name", choices=tuple(RECIPES), default="", help="of builtin-NAME, and its recipe")
    parser.add_argument("--checkpoint", type=Path, help="continues from there, and is kept there")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder of the weights and the card")
    add_recipe_options(parser, Recipe(), RECIPES)
    given = vars(parser.parse_args(arguments))
    name = given["name"]
    recipe = recipe_with(RECIPES[name], given)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    learned, apart = (open_source(str(given["photos"] / part)) for part in ("train", "val"))
    labels = labels_of(learned)
    teacher = classifiers.load(recipe.teacher, device=device.type) if recipe.teacher else None
    if teacher is not None and teacher.labels != labels:
        raise ValueError(f"{teacher.name} knows other labels than {given['photos']}")
    training = Training(recipe, len(labels), device)
    file = given["checkpoint"] or FOLDER / f"{with_name('classifier', name)}.pt"
    checkpoint = Checkpoint(file, {"recipe": asdict(recipe)})
    checkpoint.resume(training, device)
    photos = decode_all(learned)
    maps = None
    if teacher is not None:
        maps = kept_label_maps(teacher, photos, file.parent / f"label-maps-{teacher.name}.pt")
    train(training, photos, torch.tensor(learned.labels), maps, checkpoint)
    accuracy = measure(training.descent.average, apart, labels, device)
    print(json.dumps({name: accuracy[name] for name in ("photos", "side", "by_side")}))
    taught = f" Taught by {teacher.identity} as well." if teacher else ""
    write_assets(training, name, labels, accuracy, given["out"], PROVENANCE + taught)


if __name__ == "__main__":
    main()
