"""Which of ImageNet's 1000 labels show what the built-in classifiers' 112 labels name.

Decided by hand, in ``imagenet_overlap.txt``: the same thing, a kind of it, a part of it, or something that
people do not tell from it. A label without any has nothing behind its colon; ``A to B`` are all from A to B
in ImageNet's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from photos.source import imagenet_labels


@cache
def imagenet_overlap() -> dict[str, frozenset[str]]:
    """Each of the 112 labels, and the ImageNet labels that show the same; perhaps none.

    Raises:
        ValueError: the file names something that is no label of ImageNet.
    """
    labels = list(imagenet_labels().values())
    lines = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return {
        label: frozenset(_listed(entries, labels))
        for label, _, entries in (line.partition(":") for line in lines)
    }


def _listed(entries: str, labels: list[str]) -> Iterable[str]:
    for entry in filter(None, (part.strip() for part in entries.split(","))):
        first, _, last = entry.partition(" to ")
        yield from labels[labels.index(first) : labels.index(last or first) + 1]


def is_covered(words: Sequence[str], labels: Iterable[str]) -> bool:
    """Whether one of ``labels`` shows what a class called by any of ``words`` shows.

    It is the same word, or the two overlap. ImageNet's labels and the 112 are compared in both directions.
    """
    labels, overlap = set(labels), imagenet_overlap()
    if not labels.isdisjoint(words):
        return True
    by_word = any(not labels.isdisjoint(overlap.get(word, ())) for word in words)
    return by_word or any(not overlap.get(label, frozenset()).isdisjoint(words) for label in labels)
