"""Recipes as options of a command: every field of a frozen dataclass is a flag."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")


def add_recipe_options(parser: ArgumentParser, recipe: DataclassInstance) -> None:
    """A flag for every field of ``recipe``, of the type of its value; a tuple takes one or more words."""
    for name, value in asdict(recipe).items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            parser.add_argument(flag, action=BooleanOptionalAction)
        elif isinstance(value, tuple):
            parser.add_argument(flag, type=type(value[0]), nargs="+")
        else:
            parser.add_argument(flag, type=type(value))


def recipe_with(recipe: R, given: Mapping[str, Any]) -> R:
    """``recipe`` with the flags that were given; ``given`` is the parsed command line."""
    words = {name: given[name] for name in asdict(recipe) if given[name] is not None}
    return replace(
        recipe, **{name: tuple(word) if isinstance(word, list) else word for name, word in words.items()}
    )
