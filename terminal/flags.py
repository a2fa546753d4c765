"""The parameters of attacks and defenses as flags: made, explained and read from the fields themselves."""

from __future__ import annotations

import textwrap
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterable, Mapping

from story import Parameter, Parametrised

Registry = Mapping[str, type[Parametrised]]
Registries = Mapping[str, Registry]
"""Role ("attack", "defense") -> its methods."""
_BESIDE = 28


def add_flags(parser: ArgumentParser, registries: Registries, taken: Iterable[str]) -> None:
    """A flag for every parameter of every method: ``--block``, and ``--defense.block`` for any case of doubt.

    ``given_flags`` finds them in the namespace. ``taken`` are options of the command itself: a parameter of
    such a name has only its longer flag.
    """
    flags: dict[str, Parameter] = {}
    for role, registry in registries.items():
        for method in registry.values():
            for parameter in method.parameters():
                flags[f"{role}.{parameter.name}"] = parameter
                if parameter.name not in taken:
                    flags[parameter.name] = parameter
    for flag, parameter in flags.items():
        spellings = dict.fromkeys([f"--{flag}", f"--{flag.replace('_', '-')}"])
        if parameter.type is bool:  # a switch may stand alone
            parser.add_argument(
                *spellings, dest=f"--{flag}", default=SUPPRESS, help=SUPPRESS, nargs="?", const="on"
            )
        else:
            parser.add_argument(*spellings, dest=f"--{flag}", default=SUPPRESS, help=SUPPRESS)


def given_flags(arguments: Namespace) -> dict[str, str]:
    """Flag without dashes -> text, of those that stand on the command line."""
    return {name[2:]: text for name, text in vars(arguments).items() if name.startswith("--")}


def explain_flags(registries: Registries) -> str:
    """Every method's flags with help, range, unit and default, for the end of ``--help``."""
    sections = []
    for role, registry in registries.items():
        for name, method in registry.items():
            lines = [f"{role} {name}: {method.title} ({method.source})"]
            lines += [_explained(parameter) for parameter in method.parameters()]
            sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _explained(parameter: Parameter) -> str:
    flag = f"  --{parameter.name}"
    text = f"{parameter.help} [{parameter.range}; default {parameter.show(parameter.default)}]"
    lines = textwrap.wrap(text, 100 - _BESIDE)
    indented = textwrap.indent("\n".join(lines), " " * _BESIDE)
    return f"{flag:<{_BESIDE - 1}} {indented[_BESIDE:]}" if len(flag) < _BESIDE - 1 else f"{flag}\n{indented}"


def texts_for(
    given: Mapping[str, str], methods: Mapping[str, type[Parametrised]]
) -> dict[str, dict[str, str]]:
    """Which method each given flag belongs to: role -> parameter -> text.

    Args:
        given: flag without dashes -> text.
        methods: role -> the method that was chosen for it.

    Raises:
        ValueError: a flag that no chosen method has, that two of them have, or one given in both spellings.
    """
    texts: dict[str, dict[str, str]] = {role: {} for role in methods}
    for flag, text in given.items():
        role, name = _owner(flag, methods)
        if name in texts[role]:
            raise ValueError(f"--{name} and --{role}.{name} are the same parameter; give one of them")
        texts[role][name] = text
    return texts


def _owner(flag: str, methods: Mapping[str, type[Parametrised]]) -> tuple[str, str]:
    """Role and parameter that ``flag`` means."""
    role, _, name = flag.rpartition(".")
    if role and role not in methods:
        raise ValueError(f"--{flag} needs --{role}")
    roles = [role] if role else list(methods)
    owners = [role for role in roles if name in {parameter.name for parameter in methods[role].parameters()}]
    if len(owners) > 1:
        longer = " or ".join(f"--{owner}.{name}" for owner in owners)
        raise ValueError(f"--{name} is a parameter of both the {' and the '.join(owners)}; write {longer}")
    if not owners:
        raise ValueError(" and ".join(_parameters_of(methods[role], name) for role in roles))
    return owners[0], name


def _parameters_of(method: type[Parametrised], missing: str) -> str:
    names = ", ".join(f"--{parameter.name}" for parameter in method.parameters())
    return f"{method.title} has no --{missing}, only {names or 'no parameters'}"
