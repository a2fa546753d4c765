r"""Where a classifier begins to be sure: ``python -m experiments.confidence_threshold --photos SOURCE``.

The threshold is the highest under which at most 5 % of the photos fall that the classifier gets right. Beside
it stands what else falls under it: the photos that it gets wrong, and those of ``--unknown`` whose class none
of its labels covers (``photos/imagenet_overlap.txt`` decides that for ImageNet's labels and the built-in
classifiers' 112). ``--write`` puts the threshold on the built-in classifier's card:

    python -m experiments.confidence_threshold --write --classifier builtin \
        --photos PHOTOS/val --unknown IMAGENET
    python -m experiments.confidence_threshold --write --classifier imagenet \
        --photos IMAGENET --unknown PHOTOS/val
"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
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
from experiments.card_entry import add_write, keep, measured
from photos import PhotoError, Source, open_source
from photos.imagenet_overlap import is_covered
from story.table import markdown_table, percent

MOST = 0.05
"""Share of the known photos with the right answer that may fall under the threshold."""
_DIGITS = 4


def threshold(confidences: Tensor, most: float = MOST) -> float:
    """The highest number, of four digits, that at most a share ``most`` of ``confidences`` (N,) is under.

    Raises:
        ValueError: there are none.
    """
    if not len(confidences):
        raise ValueError("a threshold needs at least one photo that the classifier gets right")
    lowest = confidences.double().sort().values[int(most * len(confidences))].item()
    return math.floor(lowest * 10**_DIGITS) / 10**_DIGITS


def answers(
    source: Source, numbers: Sequence[int], classifier: Classifier, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """What the classifier says of the photos of those ``numbers``, those passed over that cannot be read.

    Returns:
        (N,) the number of each photo, (N,) the likeliest label, (N,) its probability.
    """
    read: list[int] = []
    labels: list[Tensor] = []
    confidences: list[Tensor] = []
    for start in tqdm(range(0, len(numbers), BATCH), desc=source.name, leave=False):
        pictures: list[Tensor] = []
        for number in numbers[start : start + BATCH]:
            try:
                pictures.append(source.read(number).working(size, classifier.crop_share))
            except (PhotoError, OSError):
                continue
            read.append(number)
        if pictures:
            likely = probabilities(classifier, torch.cat(pictures)).max(1)
            labels.append(likely.indices)
            confidences.append(likely.values)
    nothing = [torch.empty(0)]
    return torch.tensor(read), torch.cat(labels or nothing), torch.cat(confidences or nothing)


def measure(
    classifier: Classifier,
    source: Source,
    strangers: Source | None = None,
    *,
    size: int,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The entry ``confidence`` of the card: the threshold, and which share of each kind of photo is under it.

    Args:
        classifier: who looks.
        source: labelled photos; those whose label the classifier lacks are left out.
        strangers: labelled photos; those whose class a label of the classifier covers are left out.
        size: working size in px.
        limit: how many photos of each, drawn by ``seed``; all where it is None.
        seed: of the draw.

    Raises:
        ValueError: the classifier has none of the labels, or gets no photo right.
    """
    by_class = label_numbers(source, classifier)
    usable = [number for number in range(len(source)) if by_class[source.labels[number]] is not None]
    numbers, labels, confidences = answers(source, drawn(usable, limit, seed), classifier, size)
    right = labels == torch.tensor([by_class[source.labels[number]] for number in numbers.tolist()])
    sure_from = threshold(confidences[right])
    figures = {
        "sure_from": sure_from,
        "right": under(confidences[right], sure_from) | facts(source, usable),
        "wrong": under(confidences[~right], sure_from),
        "unknown": None,
    }
    if strangers is not None:
        covered = [is_covered(words, classifier.labels) for words in strangers.classes]
        strange = [number for number in range(len(strangers)) if not covered[strangers.labels[number]]]
        confidences = answers(strangers, drawn(strange, limit, seed), classifier, size)[2]
        figures["unknown"] = under(confidences, sure_from) | facts(strangers, strange)
    return figures | {"interval": "95 %, Wilson", "side": size}


def under(confidences: Tensor, sure_from: float) -> dict[str, Any]:
    """How many photos fall under the threshold, of how many, with the interval of their share."""
    count = int((confidences < sure_from).sum())
    low, high = wilson(count, len(confidences))
    return {
        "photos": len(confidences),
        "under": count,
        "share": round(count / len(confidences), _DIGITS) if len(confidences) else None,
        "share_interval": [round(low, _DIGITS), round(high, _DIGITS)],
    }


def facts(source: Source, numbers: Sequence[int]) -> dict[str, Any]:
    """What the photos are: of how many labels, and the checksum of the whole list of files."""
    return {"labels": len({source.labels[number] for number in numbers}), "list_sha256": source.digest}


def rows(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures as lines of a table, in percent."""
    names = {"right": "right", "wrong": "wrong", "unknown": "of something unknown"}
    lines = []
    for key, name in names.items():
        one = figures[key]
        if one is None or not one["photos"]:
            continue
        low, high = one["share_interval"]
        shares = {"%": one["share"], "from": low, "to": high}
        in_percent = {column: percent(value) for column, value in shares.items()}
        lines.append({"photos": f"{one['photos']} {name}", "under it": one["under"], **in_percent})
    return lines


def main(given: Namespace) -> None:
    """Measures, prints the table, and writes the card or the figures where that was asked for.

    Raises:
        ValueError: a card to write, and no built-in classifier.
    """
    strangers = open_source(given.unknown) if given.unknown else None
    classifier, size, figures = measured(given, load, partial(measure, strangers=strangers))
    table = markdown_table(rows(figures))
    print(f"{classifier.identity} at {size} px is sure from {figures['sure_from']:.1%} on\n\n{table}")
    keep(
        given,
        classifier,
        "confidence",
        figures,
        " --unknown UNKNOWN" if strangers is not None else "",
        "experiments.confidence_threshold",
    )


if __name__ == "__main__":
    parser = options(__doc__)
    parser.set_defaults(limit=None)
    parser.add_argument("--unknown", help="a SOURCE with photos that the classifier does not know")
    add_write(parser, "the threshold")
    main(parser.parse_args())
