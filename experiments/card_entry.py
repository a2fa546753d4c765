"""What commands share that put their figures on a built-in classifier's card."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from classifiers import builtin_names
from classifiers.base import Classifier
from classifiers.builtin import builtin_files
from photos import open_source
from training.assets import write_card


def add_write(parser: ArgumentParser, what: str) -> None:
    """The flag ``--write``; ``what`` goes on the card."""
    parser.add_argument("--write", action="store_true", help=f"put {what} on the classifier's card")


def measured(
    given: Namespace, load: Callable[[str], Classifier], measure: Callable[..., dict[str, Any]]
) -> tuple[Classifier, int, dict[str, Any]]:
    """The classifier that the command line names, the size in px at which it looks, and its figures.

    Args:
        given: the command line.
        load: name -> classifier.
        measure: (classifier, source, *, size, limit, seed) -> figures.

    Raises:
        ValueError: a card to write, and no built-in classifier.
    """
    if given.write and given.classifier not in builtin_names():
        raise ValueError(f"only built-in classifiers have a card, and {given.classifier} is none")
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    source = open_source(given.photos)
    return classifier, size, measure(classifier, source, size=size, limit=given.limit, seed=given.seed)


def keep(
    given: Namespace,
    classifier: Classifier,
    entry: str,
    figures: dict[str, Any],
    more: str,
    module: str,
    decided: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Writes the figures where the command line wants them: into ``--json``, with ``--write`` on the card.

    Args:
        given: the command line.
        classifier: on which they were measured.
        entry: their name on the card.
        figures: what was measured.
        more: of the command that measures them again, behind its name, classifier and photos.
        module: of that command.
        decided: other entries of the card, which the figures decide.
    """
    if given.json:
        text = json.dumps({"classifier": classifier.identity, **figures}, indent=1)
        given.json.write_text(f"{text}\n", encoding="utf-8")
    if given.write:
        files = builtin_files(given.classifier)
        command = f"python -m {module} --write --classifier {given.classifier} --photos PHOTOS{more}"
        write_card(files.card, files.read_card() | {entry: figures | {"command": command}, **decided})
