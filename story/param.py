"""The one place where a parameter is described: range, step, unit, choices, help.

The constructor's check, the slider, the CLI flag, the link, the cache key and the report all come from it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, ClassVar, cast

Value = int | float | bool | str
AUTO = "auto"
"""Value of a number that the method finds for itself."""
SYMBOLS = {"lam": "λ", "eps": "ε", "sigma": "σ"}
"""Name of a parameter -> the letter that papers give it."""
_METADATA_KEY = "parameter"
_ON = ("true", "on", "1", "yes")
_OFF = ("false", "off", "0", "no")


@dataclass(frozen=True)
class Parameter:
    """A field of a method, as every door shows it.

    Attributes:
        name: the field's name, also the CLI flag and the key in links and reports.
        default: value of the constructor when nothing is given.
        low, high: closed range of a number; None where the value is a choice or a switch.
        step: distance of neighbouring values of a slider; whole numbers keep to ``low + k * step``.
        unit: unit of the number as shown ("px", "× mean", ...); "" for a pure number.
        help: one sentence.
        choices: the allowed words, for a choice.
        shown_as: factor from the code's unit to the screen's (255 for ε, which is 0-1 in code).
        moves: names of the steps that the parameter changes.
        advanced: shown folded away on pages.
        auto: whether a number may also be ``AUTO``.
        open: whether the choices may become others while a door is in use, such as a visitor's own patches.
    """

    name: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    shown_as: float = 1.0
    moves: tuple[str, ...] = ()
    advanced: bool = False
    auto: bool = False
    open: bool = False

    @property
    def type(self) -> type:
        """bool, int, float or str."""
        return type(self.default)

    def check(self, value: Any) -> Value:
        """``value`` as this parameter's type.

        Raises:
            ValueError: wrong type, outside the range, off the step or not a choice; the sentence names
                parameter, value and range.
        """
        if self.type is bool:
            if not isinstance(value, bool):
                raise ValueError(f"{self.name} is on or off (true or false), not {value!r}")
            return value
        if self.type is str:
            if value not in self.choices:
                raise ValueError(f"{self.name} is one of {', '.join(self.choices)}, not {value!r}")
            return str(value)
        if self.auto and value == AUTO:
            return AUTO
        return self._check_number(value)

    def _check_number(self, value: Any) -> int | float:
        assert self.low is not None and self.high is not None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{self.name} is a number, {self.range}, not {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.name} must be {self.range}; {self.show(value)} is not")
        if self.type is int and value != int(value):
            raise ValueError(f"{self.name} is a whole number, {self.range}, not {value!r}")
        if self.type is int and self.step and (value - self.low) % self.step:
            raise ValueError(f"{self.name} must be {self.range}; {self.show(value)} is not")
        return self.type(value)

    @property
    def range(self) -> str:
        """The allowed values in words, in the unit of the screen."""
        if self.type is bool:
            return "on or off"
        if self.choices:
            return ", ".join(self.choices)
        assert self.low is not None and self.high is not None
        unit = f" {self.unit}" if self.unit else ""
        steps = f" in steps of {self.step:g}" if self.type is int and self.step not in (None, 1) else ""
        limits = f"{_number(self.low * self.shown_as)} to {_number(self.high * self.shown_as)}"
        return f"{limits}{unit}{steps}{f' or {AUTO}' if self.auto else ''}"

    @property
    def title(self) -> str:
        """What stands over its widget: symbol or name, with the unit."""
        words = self.name.replace("_", " ")
        name = SYMBOLS.get(self.name) or words[:1].upper() + words[1:]
        return f"{name} ({self.unit})" if self.unit not in ("", "×") else name

    def show(self, value: Value) -> str:
        """``value`` in the unit of the screen, without the unit's name."""
        if isinstance(value, bool):
            return "on" if value else "off"
        return value if isinstance(value, str) else _number(value * self.shown_as)

    def parse(self, text: str) -> Value:
        """``text`` from a terminal or a link as a checked value.

        A number is in the unit of the screen ("8"); a fraction ("8/255") is in the unit of the code.

        Raises:
            ValueError: as ``check``, text that is no number or switch, and a number so small in the unit of
                the screen that it may have been meant in the unit of the code.
        """
        text = text.strip()
        if self.type is bool:
            if text.lower() not in _ON + _OFF:
                raise ValueError(f"{self.name} is on or off, not {text!r}")
            return text.lower() in _ON
        if self.type is str or (self.auto and text == AUTO):
            return self.check(text)
        try:
            above, slash, below = text.partition("/")
            number = float(Fraction(above) / Fraction(below)) if slash else float(text) / self.shown_as
        except (ValueError, ZeroDivisionError, OverflowError):
            raise ValueError(f"{self.name} is a number, {self.range}, not {text!r}") from None
        if "/" not in text:
            self._check_unit(number, text)
        if self.type is int and number.is_integer():
            return self.check(int(number))
        return self.check(number)

    def _check_unit(self, value: float, text: str) -> None:
        """Refuses 0.03 where 8 of 255 is usual: most likely 0.03 of the full range was meant."""
        if self.shown_as == 1 or self.step is None or not 0 < value < self.step:
            return
        meant = _number(float(text) * self.shown_as)
        unit = self.unit if self.unit.startswith("/") else f" {self.unit}"
        raise ValueError(
            f"{self.name} {text} means {text}{unit}, less than one step of the slider; for {text} of "
            f"the full range write {meant}, and for so little write {text}/{_number(self.shown_as)}"
        )

    def flag(self, value: Value) -> str:
        """The text that ``parse`` reads as exactly ``value``, in the screen's unit where that is exact."""
        if isinstance(value, bool | str):
            return self.show(value)
        for text in (self.show(value), repr(value * self.shown_as)):
            number = float(text) / self.shown_as
            if number == value and not (self.shown_as != 1 and self.step and 0 < number < self.step):
                return text
        return str(Fraction(value))


def _number(value: float) -> str:
    """Ten digits: whole numbers in full, and 8/255 · 255 reads 8."""
    return f"{value:.10g}"


def param(
    default: Any,
    *,
    help: str,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    shown_as: float = 1.0,
    moves: tuple[str, ...] = (),
    advanced: bool = False,
    auto: bool = False,
    open: bool = False,
) -> Any:
    """A dataclass field that carries its ``Parameter``; typed ``Any``, so the annotation is the field's type.

    Raises:
        TypeError: a number without a range, a word without choices, or ``auto`` for anything but a number.
    """
    if isinstance(default, str) and not choices:
        raise TypeError("a word needs its choices")
    if isinstance(default, int | float) and not isinstance(default, bool) and (low is None or high is None):
        raise TypeError("a number needs low and high")
    if auto and low is None:
        raise TypeError("only a number can be automatic")
    description = Parameter(
        "", default, help, low, high, step, unit, choices, shown_as, moves, advanced, auto, open
    )
    return dataclasses.field(default=default, metadata={_METADATA_KEY: description})


class Parametrised:
    """Base of every method: a frozen dataclass whose fields come from ``param``, checked on construction."""

    title: ClassVar[str]
    source: ClassVar[str]
    seed_name: ClassVar[str] = ""
    """Name of the field that fixes the random draws; "" where nothing is drawn at random."""

    def __post_init__(self) -> None:
        for parameter in self.parameters():
            checked = parameter.check(getattr(self, parameter.name))
            object.__setattr__(self, parameter.name, checked)

    @classmethod
    def parameters(cls) -> tuple[Parameter, ...]:
        """The fields, in the order in which they stand in the class."""
        return _parameters(cast(Hashable, cls))

    @classmethod
    def parameter(cls, name: str) -> Parameter:
        """The field called ``name``.

        Raises:
            ValueError: there is none.
        """
        by_name = {parameter.name: parameter for parameter in cls.parameters()}
        if name not in by_name:
            raise ValueError(f"{cls.title} has no parameter {name}, only {', '.join(by_name)}")
        return by_name[name]

    def values(self) -> dict[str, Value]:
        """Field name -> value: the report, the link and (frozen) the cache key."""
        return {parameter.name: getattr(self, parameter.name) for parameter in self.parameters()}

    @property
    def random_seed(self) -> int:
        """What fixes its random draws; 0 where nothing is drawn at random."""
        return int(self.values()[self.seed_name]) if self.seed_name else 0

    @classmethod
    def parsed(cls, texts: Mapping[str, str]) -> dict[str, Any]:
        """Constructor arguments from texts of a terminal or a link.

        Raises:
            ValueError: an unknown name, or a value outside its range.
        """
        by_name = {parameter.name: parameter for parameter in cls.parameters()}
        for name in texts:
            if name not in by_name:
                raise ValueError(
                    f"{cls.title} has no parameter {name}; it has {', '.join(by_name) or 'none'}"
                )
        return {name: by_name[name].parse(text) for name, text in texts.items()}


@lru_cache(maxsize=256)
def _parameters(cls: Any) -> tuple[Parameter, ...]:
    """A page asks for them a thousand times."""
    fields = dataclasses.fields(cls)
    return tuple(dataclasses.replace(field.metadata[_METADATA_KEY], name=field.name) for field in fields)
