"""How strong an attack must be: ``python -m experiments.attack_strength --photos SOURCE``.

Iterated FGSM with the strengths of a fixed list, the weakest first, on ``--limit`` photos that the
classifier gets right, until at least 95 % of them are fooled. And on ``PATCH_PHOTOS`` of them LaVAN at its
defaults, to a random label and away from the right one: where it mostly does not get to the label, leaving
the right one is what it is after by default. ``--write`` puts that strength on the built-in classifier's
card, from where the app takes the ε, the steps and the goal that its attacks begin with:

    python -m experiments.attack_strength --write --classifier imagenet --photos IMAGENET
    python -m experiments.attack_strength --write --classifier builtin-vgg --photos PHOTOS/val
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from torch import Tensor

from attacks.iterated_fgsm import IteratedFGSM
from attacks.lavan import LaVAN
from attacks.strength import PATCH_GOAL
from classifiers import load
from classifiers.base import Classifier
from evaluation.many_photos.measuring import LabelledPhotos, attacked_by, options, right_photos, tell
from evaluation.measures.accuracy import predicted
from evaluation.measures.intervals import wilson
from experiments.card_entry import add_write, keep, measured
from photos import Source
from story.table import markdown_table, percent

STRENGTHS = ((0.5, 10), (1, 10), (2, 10), (4, 10), (8, 20), (16, 40))
"""ε of 255, and how many steps; a step of half a level gets to the edge of the ball in all of them."""
ENOUGH = 0.95
"""Share of the photos that must be fooled."""
PATCH_PHOTOS = 48
MOSTLY = 0.5
"""Share of the photos on which LaVAN must get to its label."""


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """The weakest of ``STRENGTHS`` that is enough, else the strongest, and all that were tried.

    Returns:
        ``eps`` (in [0, 1]) and ``iterations`` of it, whether it is ``enough``, ``photos``, and under
        ``tried`` a row for each strength: ``eps``, ``iterations``, how many were ``fooled``, their ``share``,
        its ``interval``; and what ``patch_goal`` gives.
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
        **patch_goal(classifier, photos, seed),
    }


def patch_goal(classifier: Classifier, photos: LabelledPhotos, seed: int) -> dict[str, Any]:
    """What LaVAN at its defaults should be after on ``classifier``, and what it gets.

    Returns:
        the goal; and under ``patch`` how many ``photos`` were attacked, on how many of them it ``reached`` a
        label drawn by ``seed``, and how many it ``fooled`` where leaving the right one was its goal.
    """
    first = photos.part(slice(PATCH_PHOTOS))

    def says(goal: str, labels: Tensor) -> Tensor:
        attack = LaVAN(goal=goal)
        return predicted(classifier, attacked_by(attack, classifier, first.x, labels, f"LaVAN, {goal}"))

    targets = first.targets(len(classifier.labels), seed)
    reached = int((says("targeted", targets) == targets).sum())
    fooled = int((says("untargeted", first.y) != first.y).sum())
    return {
        PATCH_GOAL: "targeted" if reached >= MOSTLY * len(first) else "untargeted",
        "patch": {"photos": len(first), "reached": reached, "fooled": fooled},
    }


def rows(tried: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The strengths as lines of a table, in percent."""
    return [
        {
            "ε of 255": round(255 * one["eps"], 2),
            "steps": one["iterations"],
            "fooled": one["fooled"],
            "%": percent(one["share"]),
            "from": percent(one["interval"][0]),
            "to": percent(one["interval"][1]),
        }
        for one in tried
    ]


def main(given: Namespace) -> None:
    """Measures, prints the table, and writes the card or the figures where that was asked for.

    Raises:
        ValueError: a card to write, and no built-in classifier.
    """
    classifier, size, figures = measured(given, load, measure)
    print(f"{figures['photos']} photos at {size} px, {classifier.identity}\n")
    print(markdown_table(rows(figures["tried"])))
    patch = figures["patch"]
    print(
        f"\nLaVAN at its defaults gets to a random label on {patch['reached']} of {patch['photos']} photos, "
        f"and away from the right one on {patch['fooled']}."
    )
    keep(given, classifier, "attack", figures, f" --limit {given.limit}", "experiments.attack_strength")


if __name__ == "__main__":
    parser = options(__doc__)
    add_write(parser, "the strength")
    main(parser.parse_args())
