"""Which maps say what a classifier decides by: ``python -m experiments.map_faithfulness --photos SOURCE``.

Every saliency, class map and relevance, on ``--limit`` photos that the classifier gets right: on how many the
map is the same everywhere, how much of the probability is left where its hottest 30 % are blurred away, how
much where its coldest are, and how much more the hottest cost, with the interval of that. ``--write`` puts
the figures on the built-in classifier's card, from where the pages take whether a map is to be doubted:

    python -m experiments.map_faithfulness --write --classifier builtin --photos PHOTOS/val
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import torch
from torch import Tensor

from classifiers import load
from classifiers.base import Classifier
from evaluation.many_photos.measuring import in_parts, options, right_photos, tell
from evaluation.measures.faithfulness import health_of
from experiments.card_entry import add_write, keep, measured
from explain import MapHealth, Memo, maps_of, remembering
from photos import Source
from story.table import markdown_table, percent

MEMO = 10**8
"""Bytes for what the classifier said; maps of the same ranking delete the same places."""


def measure(classifier: Classifier, source: Source, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """The entry ``maps`` of the card: ``photos``, ``side``, and the health of each map ``by_name``."""
    photos = right_photos(source, classifier, size, limit, seed)
    by_name: dict[str, dict[str, Any]] = {}
    memo = Memo(MEMO)
    for name, ask in maps_of(classifier).items():

        def part(x: Tensor, ask: Any = ask) -> Tensor:
            return ask(x).detach().cpu()

        # What several maps ask of the classifier, it is asked once.
        with remembering(memo):
            maps = torch.cat(in_parts(part, photos.x, model=classifier, name=name))
            by_name[name] = health_of(classifier, photos.x, maps).facts()
        tell(rows({name: by_name[name]}))
    return {"photos": len(photos), "side": size, "interval": "95 %, normal", "by_name": by_name}


def rows(by_name: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each map, in percent; the gap in points of probability."""
    lines = []
    for name, facts in by_name.items():
        health = MapHealth.of(facts)
        lines.append(
            {
                "map": name,
                "constant": percent(health.constant),
                "empty": percent(health.empty),
                "hottest blurred: left": percent(health.hottest),
                "coldest blurred: left": percent(health.coldest),
                "hottest cost more by": percent(health.gap),
                "from": percent(health.low),
                "to": percent(health.high),
                "doubt": "yes" if health.doubt else "",
            }
        )
    return lines


def main(given: Namespace) -> None:
    """Measures, prints the table, and writes the card or the figures where that was asked for.

    Raises:
        ValueError: a card to write, and no built-in classifier.
    """
    classifier, size, figures = measured(given, load, measure)
    print(f"{figures['photos']} photos at {size} px, {classifier.identity}\n")
    print(markdown_table(rows(figures["by_name"])))
    keep(given, classifier, "maps", figures, f" --limit {given.limit}", "experiments.map_faithfulness")


if __name__ == "__main__":
    parser = options(__doc__)
    add_write(parser, "the figures")
    main(parser.parse_args())
