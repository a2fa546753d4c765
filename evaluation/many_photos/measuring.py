"""What the measuring commands share: photos that a classifier gets right, attacked and classified."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from attacks.base import Attack
from classifiers import default_name, load
from classifiers.base import Classifier
from evaluation.measures.accuracy import BATCH, predicted
from photos.folder import list_folder, open_photo
from story.table import markdown_table


def options(about: str | None) -> ArgumentParser:
    """The arguments that every measuring command has; ``about`` is its module's docstring."""
    parser = ArgumentParser(description=about, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of label/name.jpg")
    parser.add_argument("--classifier", default=default_name())
    parser.add_argument("--size", type=int, help="working size in px; the classifier's own by default")
    parser.add_argument("--limit", type=int, default=200, help="how many photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    return parser


def command(
    about: str | None, measure: Callable[..., dict[str, Any]], tables: Callable[[dict[str, Any]], str]
) -> None:
    """A measuring command from its arguments to its output.

    Args:
        about: the module's docstring.
        measure: (classifier, folder, *, size, limit, seed) -> figures by name; "photos" is their number.
        tables: the figures as text.
    """
    given = options(about).parse_args()
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    figures = measure(classifier, given.photos, size=size, limit=given.limit, seed=given.seed)
    print(f"{figures['photos']} photos at {size} px, {classifier.identity}\n\n{tables(figures)}")
    if given.json:
        facts = {"classifier": classifier.identity, "size": size}
        given.json.write_text(json.dumps({**facts, **figures}, indent=1) + "\n", encoding="utf-8")


def right_photos(
    folder: Path, classifier: Classifier, size: int, limit: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Photos (N, 3, size, size) that the classifier gets right, and labels (N,); ``limit`` of them."""
    found = [(file, label) for file, label in list_folder(folder) if label in classifier.labels]
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed)).tolist()
    photos: list[Tensor] = []
    labels: list[Tensor] = []
    for start in range(0, len(order), BATCH):
        part = [found[number] for number in order[start : start + BATCH]]
        x = torch.cat([open_photo(file).working(size) for file, _ in part])
        y = torch.tensor([classifier.index(label) for _, label in part])
        right = predicted(classifier, x) == y
        photos.append(x[right])
        labels.append(y[right])
        if sum(map(len, labels)) >= limit:
            break
    return torch.cat(photos)[:limit], torch.cat(labels)[:limit]


def random_targets(labels: Tensor, count: int, seed: int) -> Tensor:
    """(N,) for each of ``labels`` (N,) another of ``count`` labels."""
    drawn = torch.randint(count - 1, labels.shape, generator=torch.Generator().manual_seed(seed))
    return drawn + (drawn >= labels)


def parts(*tensors: Tensor, name: str) -> Iterator[tuple[Tensor, ...]]:
    """Batches of the tensors, with a progress bar."""
    batches = zip(*(tensor.split(BATCH) for tensor in tensors), strict=True)
    yield from tqdm(batches, desc=name, total=-(-len(tensors[0]) // BATCH), leave=False)


def in_batches(x: Tensor, compute: Callable[[Tensor], Tensor], name: str) -> Tensor:
    """``compute`` of every batch of ``x``, joined."""
    return torch.cat([compute(part).detach() for (part,) in parts(x, name=name)])


def attacked_by(attack: Attack, classifier: Classifier, x: Tensor, y: Tensor, name: str) -> Tensor:
    """The attacked photos, without the way that led there."""
    batches = parts(x, y, name=name)
    return torch.cat(
        [attack.run(photos, labels, classifier, frames=0).attacked for photos, labels in batches]
    )


def tell(rows: list[dict[str, Any]]) -> None:
    """Shows rows while others are still measured, on the standard error, where the progress is."""
    tqdm.write(f"{markdown_table(rows)}\n", file=sys.stderr)
