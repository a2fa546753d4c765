"""A method's parameters as widgets, and the place of each in the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from story import Parameter, Parametrised
from story.param import AUTO, Value

Registry = Mapping[str, type[Parametrised]]

MOST_SLIDER_STOPS = 600
"""A number with more places to stop at than this is typed, not dragged."""
MOST_NAMED_STEPS = 4
"""Steps that are named under a slider before the row is shortened."""
_SYMBOLS = {"lam": "λ", "eps": "ε", "sigma": "σ"}


def state_key(kind: str, registry: Registry, method: str, parameter: Parameter) -> str:
    """Where the session keeps ``parameter`` of ``method``: "defense.lgs.lam".

    Methods whose parameters of one name have the same values to choose from share one place, named after the
    first of them, so that a choice stays when the method changes.
    """
    for name, known in registry.items():
        if any(_domain(other) == _domain(parameter) for other in known.parameters()):
            return f"{kind}.{name}.{parameter.name}"
    return f"{kind}.{method}.{parameter.name}"


def _domain(parameter: Parameter) -> tuple[Any, ...]:
    return (
        parameter.name,
        parameter.default,
        parameter.low,
        parameter.high,
        parameter.step,
        parameter.shown_as,
        parameter.choices,
    )


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


def values_of(kind: str, registry: Registry, method: str, state: Mapping[Any, Any]) -> dict[str, Value]:
    """The constructor's arguments for ``method`` as the session has them; defaults where it has none."""
    values = {}
    for parameter in registry[method].parameters():
        key = state_key(kind, registry, method, parameter)
        known = key in state or state.get(auto_key(key))
        values[parameter.name] = (
            in_code(parameter, held(parameter, key, state)) if known else parameter.default
        )
    return values


def title(parameter: Parameter) -> str:
    """What stands over the widget: symbol or name, with the unit."""
    words = parameter.name.replace("_", " ")
    name = _SYMBOLS.get(parameter.name) or words[:1].upper() + words[1:]
    return f"{name} ({parameter.unit})" if parameter.unit not in ("", "×") else name


def moved_steps(moves: Sequence[str]) -> str:
    """The steps that a parameter moves, in a line under its widget; empty where there are none."""
    if not moves:
        return ""
    if len(moves) <= MOST_NAMED_STEPS:
        return f"moves {', '.join(moves)}"
    return f"moves {', '.join(moves[:2])} … {moves[-1]} ({len(moves)} steps)"


def help_text(parameter: Parameter) -> str:
    """The tooltip: what it does, its range, its default, and all the steps it moves."""
    sentence = parameter.help[:1].upper() + parameter.help[1:]
    unit = f" {parameter.unit}" if parameter.unit and not isinstance(parameter.default, bool | str) else ""
    lines = [f"{sentence}.", f"Range: {parameter.range}. Default: {parameter.show(parameter.default)}{unit}."]
    if parameter.moves:
        lines.append(f"Moves: {', '.join(parameter.moves)}.")
    return "\n\n".join(lines).replace("~", r"\~")


def parameter_widgets(kind: str, registry: Registry, method: str, *, without: Sequence[str] = ()) -> None:
    """One widget for each parameter of ``method`` but those ``without``; what is advanced lies folded."""
    parameters = [parameter for parameter in registry[method].parameters() if parameter.name not in without]
    for parameter in parameters:
        if not parameter.advanced:
            _widget(parameter, state_key(kind, registry, method, parameter))
    advanced = [parameter for parameter in parameters if parameter.advanced]
    if advanced:
        with st.expander("More parameters", icon=":material/tune:"):
            for parameter in advanced:
                _widget(parameter, state_key(kind, registry, method, parameter))


def parameter_widget(kind: str, registry: Registry, method: str, name: str, *, typed: bool = False) -> None:
    """The widget of one parameter; a number is ``typed`` or has a slider where that is short enough."""
    parameter = registry[method].parameter(name)
    _widget(parameter, state_key(kind, registry, method, parameter), typed=typed)


def _widget(parameter: Parameter, key: str, *, typed: bool = False) -> None:
    # The default comes from the session; a widget that also had one would warn.
    st.session_state.setdefault(key, on_screen(parameter, parameter.default))
    shared: dict[str, Any] = {"key": key, "help": help_text(parameter), "persist_state": "session"}
    with st.container(gap="xxsmall"):
        if parameter.type is bool:
            st.toggle(title(parameter), **shared)
        elif len(parameter.choices) in (2, 3):
            st.segmented_control(title(parameter), parameter.choices, required=True, **shared)
        elif parameter.choices:
            st.selectbox(title(parameter), parameter.choices, **shared)
        else:
            _number(parameter, shared, typed=typed)
        moves = moved_steps(parameter.moves)
        if moves:
            st.caption(moves)


def _number(parameter: Parameter, shared: dict[str, Any], *, typed: bool) -> None:
    assert parameter.low is not None and parameter.high is not None
    low, high = on_screen(parameter, parameter.low), on_screen(parameter, parameter.high)
    step = on_screen(parameter, parameter.step or 1)
    if parameter.type is int:
        low, high, step, pattern = int(low), int(high), int(step), "%d"
    else:
        low, high, step, pattern = float(low), float(high), float(step), "%g"
    stops = (high - low) / step
    draw = st.slider if stops <= MOST_SLIDER_STOPS and not typed else st.number_input
    automatic = auto_key(shared["key"])
    if parameter.auto:
        st.session_state.setdefault(automatic, False)
        st.toggle(f"Automatic {title(parameter)}", key=automatic, persist_state="session")
    disabled = parameter.auto and bool(st.session_state[automatic])
    draw(title(parameter), low, high, step=step, format=pattern, disabled=disabled, **shared)
