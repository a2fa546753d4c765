"""What the commands that print tables share: photos that a classifier gets right, in parts on its device."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from tqdm import tqdm

from attacks.base import Attack
from attacks.labels import random_target
from classifiers import default_name, load
from classifiers.base import Classifier
from classifiers.device import in_halves
from evaluation.many_photos.evaluate import label_numbers
from evaluation.measures.accuracy import BATCH, predicted
from photos import PhotoError, Source, open_source
from story.table import markdown_table

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class LabelledPhotos:
    """Photos of one size with their labels, on the CPU.

    Attributes:
        x: (N, 3, S, S) in [0, 1].
        y: (N,) numbers of the right labels.
        digests: of each photo's file.
    """

    x: Tensor
    y: Tensor
    digests: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)

    def part(self, rows: slice) -> LabelledPhotos:
        """Some of them."""
        return LabelledPhotos(self.x[rows], self.y[rows], self.digests[rows])

    def goals(self, attack: Attack, labels: int, seed: int) -> Tensor:
        """(N,) what ``attack`` is after: ``targets``, or the right labels where it only leaves one."""
        return self.targets(labels, seed) if attack.aim == "targeted" else self.y

    def targets(self, labels: int, seed: int) -> Tensor:
        """(N,) for each photo another of ``labels`` labels, the one that every door draws by ``seed``."""
        pairs = zip(self.digests, self.y.tolist(), strict=True)
        return torch.tensor([random_target(digest, labels, seed, (label,)) for digest, label in pairs])


def options(about: str | None) -> ArgumentParser:
    """The arguments that every measuring command has; ``about`` is its module's docstring."""
    parser = ArgumentParser(description=about, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos", required=True, help="folder of label/name.jpg, or any other SOURCE of cli.py evaluate"
    )
    parser.add_argument("--classifier", default=default_name())
    parser.add_argument("--size", type=int, help="working size in px; the classifier's own by default")
    parser.add_argument("--limit", type=int, default=200, help="how many photos")
    parser.add_argument("--seed", type=int, default=0, help="draws the photos and the random labels")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    return parser


def command(
    about: str | None, measure: Callable[..., dict[str, Any]], tables: Callable[[dict[str, Any]], str]
) -> None:
    """A measuring command from its arguments to its output.

    Args:
        about: the module's docstring.
        measure: (classifier, source, *, size, limit, seed) -> figures by name; "photos" is their number.
        tables: the figures as text.
    """
    given = options(about).parse_args()
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    source = open_source(given.photos)
    figures = measure(classifier, source, size=size, limit=given.limit, seed=given.seed)
    print(f"{figures['photos']} photos at {size} px, {classifier.identity}\n\n{tables(figures)}")
    if given.json:
        facts = {"classifier": classifier.identity, "size": size}
        given.json.write_text(json.dumps({**facts, **figures}, indent=1) + "\n", encoding="utf-8")


def right_photos(source: Source, classifier: Classifier, size: int, limit: int, seed: int) -> LabelledPhotos:
    """``drawn_photos`` that the classifier gets right.

    Raises:
        ValueError: the classifier has none of the labels, or gets no photo right.
    """
    photos = drawn_photos(source, classifier, size, limit, seed, right=True)
    if not len(photos):
        raise ValueError(f"{classifier.name} gets no photo of {source.name} right")
    return photos


def drawn_photos(
    source: Source, classifier: Classifier, size: int, limit: int, seed: int, *, right: bool = False
) -> LabelledPhotos:
    """``limit`` photos of ``source``, drawn by ``seed``; with ``right`` only those it gets right.

    Photos that cannot be read are passed over, as are those whose label the classifier does not have.

    Raises:
        ValueError: the classifier has none of the labels.
    """
    numbers = label_numbers(source, classifier)
    usable = [number for number in range(len(source)) if numbers[source.labels[number]] is not None]
    order = drawn(usable, None, seed)
    pictures: list[Tensor] = []
    labels: list[Tensor] = []
    digests: list[str] = []
    for start in range(0, len(order), BATCH):
        read: list[tuple[Tensor, int, str]] = []
        for number in order[start : start + BATCH]:
            label = numbers[source.labels[number]]
            try:
                photo = source.read(number)
            except (PhotoError, OSError):
                continue
            assert label is not None
            read.append((photo.working(size, classifier.crop_share), label, photo.digest))
        if not read:
            continue
        x, y = torch.cat([picture for picture, _, _ in read]), torch.tensor([label for _, label, _ in read])
        taken = predicted(classifier, x) == y if right else torch.ones_like(y, dtype=torch.bool)
        pictures.append(x[taken])
        labels.append(y[taken])
        digests += [digest for (_, _, digest), kept in zip(read, taken.tolist(), strict=True) if kept]
        if len(digests) >= limit:
            break
    x, y = torch.cat([torch.empty(0, 3, size, size), *pictures]), torch.cat([torch.empty(0).long(), *labels])
    return LabelledPhotos(x[:limit], y[:limit], tuple(digests[:limit]))


def drawn(numbers: Sequence[int], limit: int | None, seed: int) -> list[int]:
    """At most ``limit`` of ``numbers``, drawn by ``seed``; all of them in a drawn order where it is None."""
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(seed)).tolist()
    return [numbers[place] for place in order[:limit]]


def in_parts(
    compute: Callable[..., Result], *tensors: Tensor, model: Classifier, name: str = ""
) -> list[Result]:
    """What ``compute`` gives for each part of the tensors, which come to it on the classifier's device.

    Args:
        compute: takes a part of each tensor, at most ``BATCH`` rows, fewer where the memory is too small.
        tensors: (N, ...) each.
        model: whose device it is.
        name: what the progress bar says; none where it is empty.
    """
    with tqdm(total=len(tensors[0]), desc=name, leave=False, disable=not name) as bar:

        def part(rows: slice) -> Result:
            result = compute(*(tensor[rows].to(model.device) for tensor in tensors))
            bar.update(rows.stop - rows.start)
            return result

        return in_halves(len(tensors[0]), part, BATCH)[0]


def attacked_by(attack: Attack, model: Classifier, x: Tensor, y: Tensor, name: str) -> Tensor:
    """Photos ``x`` (N, 3, S, S) attacked, on the CPU; ``y`` (N,) are the labels to reach or to leave."""

    def attacked(photos: Tensor, labels: Tensor) -> Tensor:
        return attack.run(photos, labels, model, frames=0).attacked.cpu()

    return torch.cat(in_parts(attacked, x, y, model=model, name=name))


def tell(rows: list[dict[str, Any]]) -> None:
    """Shows rows while others are still measured, on the standard error, where the progress is."""
    tqdm.write(f"{markdown_table(rows)}\n", file=sys.stderr)
