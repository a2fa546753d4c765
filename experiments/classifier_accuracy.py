"""How often a classifier is right: ``python -m experiments.classifier_accuracy --photos SOURCE``.

Top-1 and top-5 on all photos whose label the classifier has, each with its 95 % interval (Wilson's). By
default photos come as they do everywhere in Unfool: resized and cut as the classifier wants them.
``--resize`` takes another short side before the centre of the working size is cut out, so that more or less
of the photo's edge is seen. ``--only`` takes the photos whose path fits a pattern.
"""

from __future__ import annotations

import json
from argparse import Namespace
from fnmatch import fnmatch
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from classifiers import load
from classifiers.base import Classifier
from evaluation.many_photos.evaluate import label_numbers
from evaluation.many_photos.measuring import drawn, options
from evaluation.measures.accuracy import BATCH, probabilities
from evaluation.measures.intervals import wilson
from photos import PhotoError, Source, open_source
from story.table import markdown_table, percent

TOP = (1, 5)
"""The right label is among so many likeliest ones."""


def measure(
    classifier: Classifier,
    source: Source,
    *,
    size: int,
    crop_share: float,
    limit: int | None = None,
    seed: int = 0,
    only: str = "*",
) -> dict[str, Any]:
    """Top-1 and top-5 with their intervals, in percent.

    Photos that cannot be read are passed over, as are those whose label the classifier does not have; both
    are counted.

    Args:
        classifier: who looks.
        source: labelled photos.
        size: working size in px.
        crop_share: of the resized photo's short side that is cut out, as ``Classifier.crop_share``.
        limit: how many photos, drawn by ``seed``; all where it is None.
        seed: of the draw.
        only: pattern of the photos' paths.

    Raises:
        ValueError: the classifier has none of the labels, or no photo is left.
    """
    numbers = label_numbers(source, classifier)
    wanted = [number for number, file in enumerate(source.files) if fnmatch(file, only)]
    usable = [number for number in wanted if numbers[source.labels[number]] is not None]
    order = drawn(usable, limit, seed)
    places: list[int] = []
    unreadable = 0
    with tqdm(total=len(order), leave=False) as bar:
        for start in range(0, len(order), BATCH):
            pictures: list[Tensor] = []
            labels: list[int] = []
            for number in order[start : start + BATCH]:
                label = numbers[source.labels[number]]
                assert label is not None
                bar.update()
                try:
                    photo = source.read(number)
                except (PhotoError, OSError):
                    unreadable += 1
                    continue
                pictures.append(photo.working(size, crop_share))
                labels.append(label)
            if pictures:
                places += ranks(probabilities(classifier, torch.cat(pictures)), torch.tensor(labels)).tolist()
    if not places:
        raise ValueError(f"no photo of {source.name} can be used")
    return {
        "photos": len(places),
        "unreadable": unreadable,
        "labels it lacks": len(wanted) - len(usable),
        "rows": [row(top, sum(place < top for place in places), len(places)) for top in TOP],
    }


def ranks(likely: Tensor, y: Tensor) -> Tensor:
    """(N,) how many labels are likelier than the right ones ``y`` (N,), by probabilities (N, labels)."""
    return (likely > likely.gather(1, y[:, None])).sum(1)


def row(top: int, right: int, photos: int) -> dict[str, Any]:
    """A line of the table."""
    low, high = wilson(right, photos)
    share = {"%": right / photos, "from": low, "to": high}
    return {"top": top, "right": right, **{name: percent(value) for name, value in share.items()}}


def main(given: Namespace) -> None:
    """Measures, prints the table, and writes it where that was asked for."""
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    resize = given.resize or round(size / classifier.crop_share)
    if resize < size:
        raise ValueError(f"the short side is at least the working size, {size} px, not {resize}")
    figures = measure(
        classifier,
        open_source(given.photos),
        size=size,
        crop_share=size / resize,
        limit=given.limit,
        seed=given.seed,
        only=given.only,
    )
    print(
        f"{figures['photos']} photos, short side {resize} px, centre of {size} px, {classifier.identity}; "
        f"{figures['labels it lacks']} photos of labels that it lacks and {figures['unreadable']} unreadable "
        f"ones left out\n\n{markdown_table(figures['rows'])}"
    )
    if given.json:
        facts = {"classifier": classifier.identity, "size": size, "resize": resize}
        given.json.write_text(json.dumps({**facts, **figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.set_defaults(limit=None)
    parser.add_argument("--resize", type=int, help="short side in px; the classifier's own by default")
    parser.add_argument("--only", default="*", help="pattern of the photos' paths, such as '*/in_*'")
    main(parser.parse_args())
