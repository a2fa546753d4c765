"""How strong an attack must be: ``python -m experiments.attack_strength --photos SOURCE``.

Iterated FGSM with the strengths of a fixed list, the weakest first, on ``--limit`` photos that the
classifier gets right, until at least 95 % of them are fooled. ``--write`` puts that strength on the built-in
classifier's card, from where the app takes the ε and the steps that its attacks begin with:

    python -m experiments.attack_strength --write --classifier imagenet --photos IMAGENET
    python -m experiments.attack_strength --write --classifier builtin-vgg --photos PHOTOS/val
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from attacks.iterated_fgsm import IteratedFGSM
from classifiers import load
from classifiers.base import Classifier
from evaluation.many_photos.measuring import attacked_by, options, right_photos, tell
from evaluation.measures.accuracy import predicted
from evaluation.measures.intervals import wilson
from experiments.card_entry import add_write, check_write, keep
from photos import Source, open_source
from story.table import markdown_table

STRENGTHS = ((0.5, 10), (1, 10), (2, 10), (4, 10), (8, 20), (16, 40))
"""ε of 255, and how many steps; a step of half a level gets to the edge of the ball in all of them."""
ENOUGH = 0.95
"""Share of the photos that must be fooled."""


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """The weakest of ``STRENGTHS`` that is enough, else the strongest, and all that were tried.

    Returns:
        ``eps`` (in [0, 1]) and ``iterations`` of it, whether it is ``enough``, ``photos``, and under
        ``tried`` a row for each strength: ``eps``, ``iterations``, how many were ``fooled``, their ``share``,
        its ``interval``.
    """
    photos = right_photos(source, classifier, size, limit, seed)
    tried: list[dict[str, Any]] = []
    for level, iterations in STRENGTHS:
        attack = IteratedFGSM(eps=level / 255, iterations=iterations)
        attacked = attacked_by(attack, classifier, photos.x, photos.y, f"ε {level:g}/255")
        fooled = int((predicted(classifier, attacked) != photos.y).sum())
        low, high = wilson(fooled, len(photos))
        tried.append(
            {
                "eps": attack.eps,
                "iterations": iterations,
                "fooled": fooled,
                "share": round(fooled / len(photos), 4),
                "interval": [round(low, 4), round(high, 4)],
            }
        )
        tell(rows(tried[-1:]))
        if fooled >= ENOUGH * len(photos):
            break
    last = tried[-1]
    return {
        "eps": last["eps"],
        "iterations": last["iterations"],
        "enough": last["fooled"] >= ENOUGH * len(photos),
        "photos": len(photos),
        "tried": tried,
    }


def rows(tried: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The strengths as lines of a table, in percent."""
    return [
        {
            "ε of 255": round(255 * one["eps"], 2),
            "steps": one["iterations"],
            "fooled": one["fooled"],
            "%": round(100 * one["share"], 1),
            "from": round(100 * one["interval"][0], 1),
            "to": round(100 * one["interval"][1], 1),
        }
        for one in tried
    ]


def main(given: Namespace) -> None:
    """Measures, prints the table, and writes the card or the figures where that was asked for.

    Raises:
        ValueError: a card to write, and no built-in classifier.
    """
    check_write(given)
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    figures = measure(classifier, open_source(given.photos), size=size, limit=given.limit, seed=given.seed)
    print(f"{figures['photos']} photos at {size} px, {classifier.identity}\n")
    print(markdown_table(rows(figures["tried"])))
    keep(given, classifier, "attack", figures, f" --limit {given.limit}", "experiments.attack_strength")


if __name__ == "__main__":
    parser = options(__doc__)
    add_write(parser, "the strength")
    main(parser.parse_args())
