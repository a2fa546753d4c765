"""How sure a classifier is of the gallery's photos: ``python -m experiments.gallery_table``.

Of every photo that can be loaded by name, what it shows, in ImageNet's words, what the classifier says first,
and how probable it finds the thing: the sum, where ImageNet has several words for it, as for the breeds of
cats. A photo is right when the first is one of these words, and kept in the gallery when it is sure by half
as well. ``--more`` also looks at the photos of foolbox that are not in the gallery, which are named after
their label's number.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from typing import Any

import torch

from classifiers import load
from classifiers.base import Classifier
from evaluation.measures.accuracy import probabilities
from photos import Photo, read_photo, readable
from photos.gallery import ENTRIES, package_folder
from photos.source import imagenet_labels
from story.table import markdown_table, percent

SURE = 0.5
"""Of the gallery's photos the classifier is as sure as this at least."""


def row(photo: Photo, shows: tuple[str, ...], classifier: Classifier) -> dict[str, Any]:
    """What the classifier says of a photo that shows what ImageNet calls ``shows``."""
    x = photo.working(classifier.working_size, classifier.crop_share)
    likely = probabilities(classifier, x)[0]
    says = classifier.labels[int(likely.argmax())]
    probability = float(sum(likely[classifier.labels.index(word)] for word in shows))
    right = says in shows
    return {
        "photo": photo.name,
        "shows": ", ".join(shows) or "-",
        "says": says,
        "% sure": percent(probability),
        "right": right,
        "kept": right and probability >= SURE,
    }


def others_of_foolbox() -> Iterator[tuple[Photo, tuple[str, ...]]]:
    """Its photos of ImageNet that the gallery does not have, each with its label."""
    folder = package_folder("foolbox")
    ours = {entry.path for entry in ENTRIES}
    labels = list(imagenet_labels().values())
    for file in sorted((folder / "data").glob("imagenet_*.jpg")) if folder else ():
        if file not in ours:
            yield read_photo(file.read_bytes(), file.name), (labels[int(file.stem.rsplit("_", 1)[1])],)


def measure(classifier: Classifier, *, more: bool = False) -> list[dict[str, Any]]:
    """A row for each photo.

    Args:
        classifier: of ImageNet's labels.
        more: whether foolbox's other photos are among them.
    """
    shows = {entry.name: entry.imagenet for entry in ENTRIES}
    photos = [(photo, shows[photo.name]) for photo in readable(shows)]
    with torch.no_grad():
        return [row(*pair, classifier) for pair in photos + (list(others_of_foolbox()) if more else [])]


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--classifier", default="imagenet", help="one with ImageNet's 1000 labels")
    parser.add_argument("--more", action="store_true", help="foolbox's other photos too")
    given = parser.parse_args()
    print(markdown_table(measure(load(given.classifier), more=given.more)))
