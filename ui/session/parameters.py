"""Where the session keeps a method's parameters, and how: in the unit of the screen."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from story import Parameter, Parametrised
from story.param import AUTO, Value

Registry = Mapping[str, type[Parametrised]]


@lru_cache(maxsize=1024)
def state_key(kind: str, parameter: Parameter) -> str:
    """Where the session keeps ``parameter`` of the attacks, defenses or threats: "defense.lam.1f60c2".

    Methods of one ``kind`` whose parameters of one name have the same values to choose from share one place,
    so that a value stays when the method changes. The place hangs on nothing else, neither on the methods'
    names nor on which others there are.
    """
    values = (
        *(parameter.low, parameter.high, parameter.step, parameter.shown_as),
        *(() if parameter.open else (parameter.default, parameter.choices)),
    )
    return f"{kind}.{parameter.name}.{sha256(repr(values).encode()).hexdigest()[:6]}"


def on_screen(parameter: Parameter, value: Value) -> Value:
    """``value`` as the widget holds it: numbers in the unit of the screen."""
    if isinstance(value, bool | str):
        return value
    return int(value) if parameter.type is int else _tidy(value * parameter.shown_as)


def in_code(parameter: Parameter, shown: Value) -> Value:
    """What a widget's value means to the method, checked.

    Raises:
        ValueError: as ``Parameter.check``.
    """
    if isinstance(shown, bool | str) or parameter.type is int:
        return parameter.check(shown)
    return parameter.check(_tidy(shown) / parameter.shown_as)


def auto_key(key: str) -> str:
    """Where the session keeps whether the parameter under ``key`` is automatic."""
    return f"{key}.{AUTO}"


def stored(parameter: Parameter, key: str, value: Value) -> dict[str, Any]:
    """What the session holds under ``key`` and beside it where the parameter is ``value``."""
    if not parameter.auto:
        return {key: on_screen(parameter, value)}
    number = parameter.default if value == AUTO else value
    return {key: on_screen(parameter, number), auto_key(key): value == AUTO}


def held(parameter: Parameter, key: str, state: Mapping[Any, Any]) -> Any:
    """What the session holds under ``key``, as the widget has it; its default where there is nothing."""
    if parameter.auto and state.get(auto_key(key)):
        return AUTO
    return state.get(key, on_screen(parameter, parameter.default))


def _tidy(number: float) -> float:
    """``number`` without the dust of binary fractions, as a slider shows it."""
    return float(f"{number:.6g}")


def values_of(kind: str, method: type[Parametrised], state: Mapping[Any, Any]) -> dict[str, Value]:
    """The constructor's arguments for ``method`` as the session has them; defaults where it has none."""
    values = {}
    for parameter in method.parameters():
        key = state_key(kind, parameter)
        is_held = key in state or state.get(auto_key(key))
        values[parameter.name] = (
            in_code(parameter, held(parameter, key, state)) if is_held else parameter.default
        )
    return values
