"""Flags come from fields: every one exists, is explained, and finds its method."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from dataclasses import dataclass

import pytest

from story import Parametrised, param
from terminal.flags import add_flags, explain_flags, given_flags, texts_for
from tests.every_parameter import EVERY, REGISTRIES


@dataclass(frozen=True)
class Shaker(Parametrised):
    title = "Shaker"
    source = "nowhere"

    size: float = param(0.1, low=0, high=1, shown_as=100, unit="%", help="how big")
    learning_rate: float = param(0.5, low=0, high=1, help="how fast")
    seed: int = param(0, low=0, high=9, help="which draws")
    hard: bool = param(False, help="whether")


@dataclass(frozen=True)
class Calmer(Parametrised):
    title = "Calmer"
    source = "nowhere"

    seed: int = param(0, low=0, high=9, help="which draws")


TOY = {"attack": {"shaker": Shaker}, "defense": {"calmer": Calmer}}
BOTH = {"attack": Shaker, "defense": Calmer}


def read(line, registries=TOY):
    parser = ArgumentParser(allow_abbrev=False)
    parser.add_argument("--size", type=int)
    add_flags(parser, registries, ["size"])
    return given_flags(parser.parse_args(line.split()))


@pytest.mark.parametrize(("role", "name", "parameter"), EVERY)
def test_every_field_is_a_flag_short_and_long(role, name, parameter):
    text = parameter.show(parameter.default)
    method = REGISTRIES[role][name]
    for flag in (parameter.name, f"{role}.{parameter.name}"):
        for spelling in (flag, flag.replace("_", "-")):
            given = read(f"--{spelling} {text}", REGISTRIES)
            assert given == {flag: text}
            texts = texts_for(given, {role: method})
            assert method(**method.parsed(texts[role])) == method()


@pytest.mark.parametrize(("role", "name", "parameter"), EVERY)
def test_every_flag_is_explained_with_range_and_default(role, name, parameter):
    sections = explain_flags(REGISTRIES).split("\n\n")
    section = next(section for section in sections if section.startswith(f"{role} {name}:"))
    flags = re.split(r"\n(?=  --)", section)
    words = next(" ".join(flag.split()) for flag in flags if flag.split()[0] == f"--{parameter.name}")
    assert parameter.help.split(maxsplit=1)[0] in words
    assert parameter.range.replace("-", "") in words.replace("- ", "").replace("-", "")
    assert f"default {parameter.show(parameter.default)}".replace("-", "") in words.replace("- ", "").replace(
        "-", ""
    )


def test_nothing_given_is_nothing():
    assert read("") == {}
    assert texts_for({}, BOTH) == {"attack": {}, "defense": {}}


def test_a_switch_may_stand_alone():
    assert read("--hard") == {"hard": "on"}
    assert read("--hard off") == {"hard": "off"}


def test_a_commands_own_option_keeps_its_name():
    assert read("--size 3") == {}
    assert read("--attack.size 3") == {"attack.size": "3"}


def test_flags_find_their_method():
    given = read("--learning-rate 1 --attack.seed 3 --defense.seed=4")
    expected = {"attack": {"learning_rate": "1", "seed": "3"}, "defense": {"seed": "4"}}
    assert texts_for(given, BOTH) == expected


@pytest.mark.parametrize(
    ("line", "methods", "words"),
    [
        ("--seed 3", BOTH, "--seed is a parameter of both the attack and the defense"),
        ("--seed 3", BOTH, "write --attack.seed or --defense.seed"),
        ("--hard --attack.hard", {"attack": Shaker}, "--hard and --attack.hard are the same parameter"),
        ("--attack.seed 3", {"defense": Calmer}, "--attack.seed needs --attack"),
        ("--hard", {"defense": Calmer}, "Calmer has no --hard, only --seed"),
        ("--defense.seed 3 --hard", {"defense": Calmer}, "Calmer has no --hard, only --seed"),
    ],
)
def test_a_wrong_flag_is_one_sentence(line, methods, words):
    with pytest.raises(ValueError) as error:
        texts_for(read(line), methods)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
