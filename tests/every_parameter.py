"""Every parameter of every attack, defense and threat, for tests that must hold for all of them."""

from collections.abc import Iterator
from typing import Any

import pytest

from attacks import ATTACKS
from defenses import DEFENSES, THREATS
from story import Parametrised
from story.param import AUTO

REGISTRIES = {"attack": ATTACKS, "defense": DEFENSES, "threat": THREATS}
EVERY = [
    pytest.param(role, method, parameter, id=f"{role}.{method}.{parameter.name}")
    for role, registry in REGISTRIES.items()
    for method, known in registry.items()
    for parameter in known.parameters()
]
"""Role, name of the method, parameter."""


def variants(method: type[Parametrised]) -> Iterator[dict[str, Any]]:
    """The defaults, then each choice and each switch set another way."""
    yield {}
    for parameter in method.parameters():
        words = parameter.choices or ((True, False) if parameter.type is bool else ())
        yield from ({parameter.name: word} for word in words if word != parameter.default)
        if parameter.auto:
            yield {parameter.name: AUTO}


def ends(method: type[Parametrised]) -> Iterator[dict[str, Any]]:
    """Each number at either end of its range, where the others allow it."""
    for parameter in method.parameters():
        if parameter.type not in (int, float):
            continue
        for value in (parameter.low, parameter.high):
            options = {parameter.name: value}
            try:
                method(**options)
            except ValueError:
                continue
            yield options
