"""Which saliency ``auto`` means: ``python -m experiments.automatic_saliency --photos SOURCE``.

SLGS, WLGS and Digital Watermarking hope that the classifier's saliency gathers on a patch. So ``auto`` is the
method with the largest share of its map on patches that fool the classifier: its universal patches, and one
that LaVAN learns for each photo. Methods that the card's figures of ``experiments.map_faithfulness`` speak
against are left out. ``--write`` puts method and figures on the built-in classifier's card:

    python -m experiments.automatic_saliency --write --classifier builtin-vgg --photos PHOTOS/val
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from attacks import Attack
from attacks.lavan import LaVAN
from attacks.universal_patch import UniversalPatch, trained_on
from classifiers import load
from classifiers.base import Classifier
from evaluation.many_photos.measuring import (
    LabelledPhotos,
    attacked_by,
    in_parts,
    options,
    right_photos,
    tell,
)
from evaluation.measures.accuracy import predicted
from experiments.card_entry import add_write, keep, measured
from explain import doubt, offered, saliency, saliency_name, share_inside
from photos import Source
from story.table import markdown_table, percent

AREA = 0.1
"""Of the photo, for the patch that LaVAN learns: one so large fools every built-in classifier."""
FEWEST = 10
"""Photos that patches must fool, all patches together, for the figures to say anything."""
DIGITS = 4


def patches(
    classifier: Classifier, photos: LabelledPhotos, seed: int
) -> Iterator[tuple[str, Attack, Tensor]]:
    """Name, attack and the labels (N,) that it is after: LaVAN, then the classifier's universal patches."""
    labels = len(classifier.labels)
    yield f"LaVAN per photo, {100 * AREA:g} %", LaVAN(share=AREA), photos.targets(labels, seed)
    for card in trained_on(classifier.identity):
        goals = torch.full_like(photos.y, classifier.index(card.target))
        yield f"{card.name}, {100 * card.share:g} %", UniversalPatch(patch=card.name), goals


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """The entry ``gaze`` of the card.

    Returns:
        ``auto``, the method; ``photos``, ``side``; ``mean``, by method the mean of its shares over the
        patches; ``patches``, for each its ``patch``, ``area``, how many photos it ``fooled``, and by method
        the share of the map ``on patch`` over these photos. A patch that fools no photo has no shares.

    Raises:
        ValueError: the patches fool fewer than ``FEWEST`` photos.
    """
    photos = right_photos(source, classifier, size, limit, seed)
    rows = [
        _gathered(classifier, photos, attack, goals, title)
        for title, attack, goals in patches(classifier, photos, seed)
    ]
    count = sum(row["fooled"] for row in rows)
    if count < FEWEST:
        raise ValueError(
            f"the patches fool {classifier.name} on {count} of {len(photos)} photos, and "
            f"{FEWEST} are needed: take more photos"
        )
    fooling = [row for row in rows if row["fooled"]]
    mean = {
        method: round(sum(row["on patch"][method] for row in fooling) / len(fooling), DIGITS)
        for method in offered(classifier)
    }
    return {
        "auto": best(mean, classifier),
        "photos": len(photos),
        "side": size,
        "mean": mean,
        "patches": rows,
    }


def _gathered(
    classifier: Classifier, photos: LabelledPhotos, attack: Attack, goals: Tensor, title: str
) -> dict[str, Any]:
    """One patch: how many photos it fools, and how much of each method's map lies on it there."""
    attacked = attacked_by(attack, classifier, photos.x, goals, title)
    fooled = attacked[predicted(classifier, attacked) != photos.y]
    mask = attack.mask(photos.x[:1])
    assert mask is not None
    shares: dict[str, float] = {}
    for method in offered(classifier) if len(fooled) else ():

        def part(x: Tensor, method: str = method) -> Tensor:
            return share_inside(saliency(x, classifier, method=method).detach().cpu(), mask)

        inside = torch.cat(in_parts(part, fooled, model=classifier, name=f"{title}: {method}"))
        shares[method] = round(inside.mean().item(), DIGITS)
    row = {"patch": title, "area": round(mask.mean().item(), DIGITS), "fooled": len(fooled)}
    tell([row | shares])
    return row | {"on patch": shares}


def best(mean: Mapping[str, float], classifier: Classifier) -> str:
    """The method with the largest ``mean`` share that nothing speaks against; of equal ones the first.

    Raises:
        ValueError: the card's figures speak against all of them.
    """
    sound = [method for method in mean if not doubt(saliency_name(method), classifier)]
    if not sound:
        raise ValueError(f"{classifier.name} has no saliency that the deletion test does not doubt")
    return max(sound, key=mean.__getitem__)


def table(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each patch and one for their mean: % of each map on the patch."""
    lines = [
        {"patch": row["patch"], "area %": percent(row["area"]), "fooled": row["fooled"]}
        | {method: percent(row["on patch"][method]) if row["fooled"] else "" for method in figures["mean"]}
        for row in figures["patches"]
    ]
    mean = {method: percent(share) for method, share in figures["mean"].items()}
    return [*lines, {"patch": "mean", "area %": "", "fooled": "", **mean}]


def main(given: Namespace) -> None:
    """Measures, prints the table, and writes the card or the figures where that was asked for.

    Raises:
        ValueError: a card to write, and no built-in classifier.
    """
    classifier, size, figures = measured(given, load, measure)
    print(f"{figures['photos']} photos at {size} px, {classifier.identity}: auto is {figures['auto']}\n")
    print(markdown_table(table(figures)))
    more, decided = f" --limit {given.limit}", {"saliency": figures["auto"]}
    keep(given, classifier, "gaze", figures, more, "experiments.automatic_saliency", decided)


if __name__ == "__main__":
    parser = options(__doc__)
    add_write(parser, "the method")
    main(parser.parse_args())
