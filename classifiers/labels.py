"""A visitor's label file: one label per line, or a JSON list, in the order of the network's outputs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from classifiers.base import ClassifierError

MAX_BYTES = 1_000_000
MAX_LENGTH = 200


def read_labels(source: bytes | Path, what: str = "The label file") -> tuple[str, ...]:
    """The labels, at least two, each once.

    Raises:
        ClassifierError: too large, no UTF-8 text, an empty or repeated label.
    """
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > MAX_BYTES:
            raise ClassifierError(f"{what} has {size / 1e6:.1f} MB; at most 1 MB can be read")
        text = (source if isinstance(source, bytes) else source.read_bytes()).decode("utf-8-sig").strip()
    except OSError:
        raise ClassifierError(f"{what} cannot be read") from None
    except UnicodeDecodeError:
        raise ClassifierError(f"{what} is no UTF-8 text") from None
    is_json = text[:1] in ("[", "{") and text[-1:] in ("]", "}")
    labels = _from_json(text, what) if is_json else text.splitlines()
    labels = [label.strip() for label in labels]
    for number, label in enumerate(labels, start=1):
        if not label or not label.isprintable() or len(label) > MAX_LENGTH:
            raise ClassifierError(f"{what} has an empty, too long or unprintable label, number {number}")
    repeated = [label for label, count in Counter(labels).items() if count > 1]
    if repeated:
        raise ClassifierError(f"{what} names {repeated[0]!r} more than once")
    if len(labels) < 2:
        raise ClassifierError(f"{what} needs at least two labels, one per line or as a JSON list")
    return tuple(labels)


def _from_json(text: str, what: str) -> list[str]:
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError):
        labels = None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ClassifierError(f"{what} is no JSON list of words")
    return labels
