"""The address bar's text: what was chosen and is not the default, in words that can be read and typed.

``?photo=stereo_motorcycle&size=224&attack=pgd&attack.eps=8&defense=wlgs&defense.lam=3.5``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attacks import Attack
from photos import few
from ui.session.parameters import Registry, held, on_screen, state_key, stored

OWN = "own"
"""Stands in a link for a photo or a classifier that the visitor brought; only their own session has it."""
SMALLEST, LARGEST = 160, 400
"""Range of the working size in the app, px."""
_FREE = ("target", "run")
"""Words that are checked where they are used: the attack's target, the run that the page Failures shows."""


@dataclass(frozen=True)
class Choices:
    """What a link may choose from.

    Attributes:
        plain: name in the link and key in the session -> allowed words, the default first.
        methods: "attack", "defense" and "threat" -> registry, the default first.
        unlisted: name in the link -> whether a word that is not listed may be tried all the same.
        strengths: classifier -> key in the session -> value of the widget, of what an attack on it begins
            with instead of its own defaults.
    """

    plain: Mapping[str, Sequence[str]]
    methods: Mapping[str, Registry]
    unlisted: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    strengths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def default(self, name: str) -> str:
        """What is chosen where a link says nothing."""
        return next(iter(self.methods[name] if name in self.methods else self.plain[name]))


@dataclass
class View:
    """What a link asks for.

    Attributes:
        state: key in the session -> value of the widget.
        refused: a phrase for each thing that was asked for and does not exist here.
    """

    state: dict[str, Any] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """All that was refused, in one sentence; empty where nothing was."""
        if not self.refused:
            return ""
        return f"A part of this link was ignored: {'; '.join(self.refused)}."


def nearest_size(size: int) -> int:
    """The working size in the app that comes nearest to ``size``, px."""
    return min(max(size, SMALLEST), LARGEST)


def size_key(classifier: str) -> str:
    """Where the session keeps the working size: each classifier has its own."""
    return f"size.{classifier}"


def defaults(choices: Choices, classifier: str | None = None) -> dict[str, Any]:
    """Key in the session -> value, of all that a link without a query means; the size is the classifier's.

    ``classifier`` is the one that looks; by default the default one.
    """
    state: dict[str, Any] = {name: choices.default(name) for name in (*choices.plain, *choices.methods)}
    for kind, registry in choices.methods.items():
        for method in registry.values():
            for parameter in method.parameters():
                state |= stored(parameter, state_key(kind, parameter), parameter.default)
    strength = choices.strengths.get(classifier or choices.default("classifier"), {})
    return state | dict(strength) | dict.fromkeys(_FREE)


def read(query: Mapping[str, str], choices: Choices) -> View:
    """The view that a link's ``query`` asks for.

    Whoever names a target wants it reached, where the link does not say otherwise.
    """
    view = View()
    names = {*choices.plain, *choices.methods, "size", *_FREE}
    for name, text in query.items():
        if name not in names and name.partition(".")[0] not in choices.methods:
            view.refused.append(f"there is nothing called {name}")
        elif name in names - {"size", *_FREE}:
            allowed = choices.methods.get(name) or choices.plain[name]
            if text in allowed or (name in choices.unlisted and choices.unlisted[name](text)):
                view.state[name] = text
            elif text == OWN:
                view.refused.append(f"a {name} of one's own is not part of a link, so bring it again")
            else:
                view.refused.append(f"{name} is one of {few(list(allowed))}, not {text}")
        elif name in _FREE:
            view.state[name] = text
    if "size" in query:
        _read_size(query["size"], view, choices)
    goal = _goal(view.state, choices)
    if goal and "target" in query:
        query = {goal: "targeted", **query}
    for kind, registry in choices.methods.items():
        _read_parameters(kind, registry, query, view, choices)
    return view


def _goal(state: Mapping[Any, Any], choices: Choices) -> str:
    """What the query calls the goal of the attack in ``state``; empty where that has no choice."""
    if "attack" not in choices.methods:
        return ""
    attack = choices.methods["attack"][state.get("attack", choices.default("attack"))]
    return f"attack.{attack.goal_name}" if issubclass(attack, Attack) and attack.targeted == "either" else ""


def _read_size(text: str, view: View, choices: Choices) -> None:
    if text.isdecimal() and SMALLEST <= int(text) <= LARGEST:
        view.state[size_key(view.state.get("classifier", choices.default("classifier")))] = int(text)
    else:
        view.refused.append(f"size is a whole number, {SMALLEST} to {LARGEST} px, not {text}")


def _read_parameters(
    kind: str, registry: Registry, query: Mapping[str, str], view: View, choices: Choices
) -> None:
    method = view.state.get(kind, choices.default(kind))
    parameters = {parameter.name: parameter for parameter in registry[method].parameters()}
    values: dict[str, Any] = {}
    for full_name, text in query.items():
        name = full_name.removeprefix(f"{kind}.")
        if name == full_name:
            continue
        try:
            if name not in parameters:
                raise ValueError(f"{method} has no parameter {name}")
            values[name] = parameters[name].parse(text)
        except ValueError as error:
            view.refused.append(str(error))
    try:
        registry[method](**values)
    except ValueError as error:
        view.refused.append(str(error))
        return
    for name, value in values.items():
        view.state |= stored(parameters[name], state_key(kind, parameters[name]), value)


def write(state: Mapping[Any, Any], choices: Choices, working_size: int) -> dict[str, str]:
    """The query of a link to what the session holds; only what differs from the defaults.

    Beside a target, "targeted" is the goal's default, as ``read`` has it.

    Args:
        state: the session.
        choices: what the link may choose from.
        working_size: of the chosen classifier, which is its default size.
    """
    query = {}
    for name in (*choices.plain, *choices.methods):
        if state.get(name, choices.default(name)) != choices.default(name):
            query[name] = str(state[name])
    classifier = state.get("classifier", choices.default("classifier"))
    strength = choices.strengths.get(classifier, {})
    size = state.get(size_key(classifier), working_size)
    if size != working_size:
        query["size"] = str(size)
    query |= {name: state[name] for name in _FREE if state.get(name)}
    goal = _goal(state, choices)
    for kind, registry in choices.methods.items():
        method = state.get(kind, choices.default(kind))
        for parameter in registry[method].parameters():
            key = state_key(kind, parameter)
            shown = held(parameter, key, state)
            word = f"{kind}.{parameter.name}"
            meant = strength.get(key, on_screen(parameter, parameter.default))
            if shown != ("targeted" if word == goal and "target" in query else meant):
                query[word] = _text(shown)
    return query


def _text(shown: Any) -> str:
    if isinstance(shown, bool):
        return "on" if shown else "off"
    return f"{shown:g}" if isinstance(shown, float) else str(shown)
