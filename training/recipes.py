"""Recipes: frozen dataclasses whose every field says what it is, and is an option of a command."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from story import Parametrised

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")
_METADATA_KEY = "setting"


@dataclass(frozen=True)
class Setting:
    """What a field of a recipe says of itself.

    Attributes:
        help: a phrase for the one who sets it.
        unit: of a number; "" for a pure one.
        low, high: closed range of a number, or of each number of several; None where there is no end.
        choices: the allowed words; empty where any word is.
    """

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """The allowed values in words; "" where all are."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is None:
            return self.unit
        limits = f"{self.low:g} or more" if self.high is None else f"{self.low:g} to {self.high:.10g}"
        return f"{limits} {self.unit}".rstrip()

    def check(self, name: str, value: Any) -> None:
        """Nothing, if ``value`` (or each of a tuple of them) is allowed.

        Raises:
            ValueError: it is not; the sentence names field, value and range.
        """
        for one in value if isinstance(value, tuple) else (value,):
            if self.choices:
                allowed = one in self.choices
            elif isinstance(one, int | float):
                low, high = -math.inf if self.low is None else self.low, self.high
                allowed = math.isfinite(one) and low <= one <= (math.inf if high is None else high)
            else:
                allowed = True
            if not allowed:
                raise ValueError(f"{name} is {self.range or 'a finite number'}, not {one!r}")


def setting(
    default: Any,
    *,
    help: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries its ``Setting``; typed ``Any``, so that the annotation decides."""
    return field(default=default, metadata={_METADATA_KEY: Setting(help, unit, low, high, choices)})


class Described:
    """Base of a recipe: a frozen dataclass with fields made by ``setting``, checked on construction.

    A child that gives a field another default, as a plain value, keeps what its parent says of it.
    """

    def __post_init__(self) -> None:
        for name, described in settings_of(cast(type, type(self))).items():
            described.check(name, getattr(self, name))


def settings_of(recipe: type[DataclassInstance]) -> dict[str, Setting]:
    """Field -> what it says of itself, of a recipe made of ``setting`` or of ``story.param``.

    Raises:
        TypeError: a field says nothing.
    """
    if issubclass(recipe, Parametrised):
        return {
            parameter.name: Setting(
                # A recipe's options take the code's own unit, so the screen's is only named.
                parameter.help
                + (f"; 1 is {parameter.shown_as:g} {parameter.unit}" if parameter.shown_as != 1 else ""),
                parameter.unit if parameter.shown_as == 1 else "",
                parameter.low,
                parameter.high,
                parameter.choices,
            )
            for parameter in recipe.parameters()
        }
    described: dict[str, Setting] = {}
    for parent in reversed(recipe.__mro__):
        for one in vars(parent).get("__dataclass_fields__", {}).values():
            if _METADATA_KEY in one.metadata:
                described[one.name] = one.metadata[_METADATA_KEY]
    for one in fields(recipe):
        if one.name not in described:
            raise TypeError(f"the field {one.name} of {recipe.__name__} does not say what it is")
    return {one.name: described[one.name] for one in fields(recipe)}


def training_parser(about: str | None) -> ArgumentParser:
    """The options that every training has; ``about`` is its module's docstring."""
    parser = ArgumentParser(description=about, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder with train/ and val/")
    return parser


def add_recipe_options(parser: ArgumentParser, recipe: R, named: Mapping[str, R] | None = None) -> None:
    """A flag for every field of ``recipe``, of the type of its value; a tuple takes one or more words.

    Args:
        parser: gets the flags, in a group of their own.
        recipe: its values are told as those that hold by default.
        named: other recipes by the word that chooses them; where their values differ they are told too.
    """
    group = parser.add_argument_group("recipe", "Everything that shapes the result.")
    for name, described in settings_of(type(recipe)).items():
        flag = "--" + name.replace("_", "-")
        value = getattr(recipe, name)
        shown = [_shown(value)]
        for word, other in (named or {}).items():
            if getattr(other, name) != value:
                shown.append(f"{word}: {_shown(getattr(other, name))}")
        details = [described.range, f"by default {', '.join(shown)}"]
        help = f"{described.help} ({'; '.join(detail for detail in details if detail)})".replace("%", "%%")
        if isinstance(value, bool):
            group.add_argument(flag, action=BooleanOptionalAction, help=help)
            continue
        kind = type(value[0] if isinstance(value, tuple) else value)
        metavar = {int: "N", float: "X"}.get(kind, "WORD")
        reads = _reader(name, kind, described)
        if isinstance(value, tuple):
            group.add_argument(flag, type=reads, nargs="+", metavar=metavar, help=help)
        else:
            group.add_argument(flag, type=reads, metavar=metavar, help=help)


def recipe_with(recipe: R, given: Mapping[str, Any]) -> R:
    """``recipe`` with the flags that were given; ``given`` is the parsed command line."""
    words = {one.name: given[one.name] for one in fields(recipe) if given[one.name] is not None}
    return replace(
        recipe, **{name: tuple(word) if isinstance(word, list) else word for name, word in words.items()}
    )


def _shown(value: Any) -> str:
    """A field's value as it is typed behind its flag."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(_shown(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _reader(name: str, kind: type, described: Setting) -> Callable[[str], Any]:
    """From a word of the command line to a checked value."""

    def reads(word: str) -> Any:
        value = kind(word)
        try:
            described.check(name, value)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None
        return value

    reads.__name__ = kind.__name__  # what argparse calls a word that is no such number
    return reads
