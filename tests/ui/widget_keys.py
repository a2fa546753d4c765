"""Where the pages keep a method's parameters, for tests that look at their widgets."""

from attacks import ATTACKS
from defenses import DEFENSES
from ui.session.parameters import state_key

_REGISTRIES = {"attack": ATTACKS, "defense": DEFENSES}


def key_of(parameter: str) -> str:
    """Key of the widget of "defense.lgs.lam"."""
    kind, method, name = parameter.split(".")
    return state_key(kind, _REGISTRIES[kind][method].parameter(name))


def class_of(parameter: str) -> str:
    """The style class that the browser finds this widget by."""
    return f"st-key-{key_of(parameter).replace('.', '-')}"
