"""A method's parameters as widgets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import streamlit as st

from story import Parameter, Parametrised
from ui.session.parameters import auto_key, on_screen, state_key

MOST_SLIDER_STOPS = 600
"""A number with more places to stop at than this is typed, not dragged."""
MOST_NAMED_STEPS = 4
"""Steps that are named under a slider before the row is shortened."""


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


def parameter_widgets(
    kind: str,
    method: type[Parametrised],
    *,
    without: Sequence[str] = (),
    unavailable: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> None:
    """One widget for each parameter of ``method`` but those ``without``; what is advanced lies folded.

    ``unavailable`` are choices, by the parameter's name, that are not offered, unless one is set already.
    """
    parameters = [parameter for parameter in method.parameters() if parameter.name not in without]
    for parameter in parameters:
        if not parameter.advanced:
            _widget(parameter, state_key(kind, parameter), unavailable=unavailable.get(parameter.name, ()))
    advanced = [parameter for parameter in parameters if parameter.advanced]
    if advanced:
        with st.expander("More parameters", icon=":material/tune:"):
            for parameter in advanced:
                _widget(
                    parameter, state_key(kind, parameter), unavailable=unavailable.get(parameter.name, ())
                )


def parameter_widget(kind: str, method: type[Parametrised], name: str, *, typed: bool = False) -> None:
    """The widget of one parameter; a number is ``typed`` or has a slider where that is short enough."""
    parameter = method.parameter(name)
    _widget(parameter, state_key(kind, parameter), typed=typed)


def _widget(
    parameter: Parameter, key: str, *, typed: bool = False, unavailable: Collection[str] = ()
) -> None:
    # The default comes from the session; a widget that also had one would warn.
    st.session_state.setdefault(key, on_screen(parameter, parameter.default))
    shared: dict[str, Any] = {"key": key, "help": help_text(parameter), "persist_state": "session"}
    with st.container(gap="xxsmall"):
        if parameter.type is bool:
            st.toggle(parameter.title, **shared)
        elif len(parameter.choices) in (2, 3):
            st.segmented_control(parameter.title, parameter.choices, required=True, **shared)
        elif parameter.choices:
            now = st.session_state[key]
            choices = [choice for choice in parameter.choices if choice == now or choice not in unavailable]
            st.selectbox(parameter.title, choices, **shared)
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
        st.toggle(f"Automatic {parameter.title}", key=automatic, persist_state="session")
    disabled = parameter.auto and bool(st.session_state[automatic])
    draw(parameter.title, low, high, step=step, format=pattern, disabled=disabled, **shared)
