"""Every parameter of every attack, defense and threat, for tests that must hold for all of them."""

import pytest

from attacks import ATTACKS
from defenses import DEFENSES, THREATS

REGISTRIES = {"attack": ATTACKS, "defense": DEFENSES, "threat": THREATS}
EVERY = [
    pytest.param(role, method, parameter, id=f"{role}.{method}.{parameter.name}")
    for role, registry in REGISTRIES.items()
    for method, known in registry.items()
    for parameter in known.parameters()
]
"""Role, name of the method, parameter."""
