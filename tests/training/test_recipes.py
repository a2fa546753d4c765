import importlib
import pkgutil
from argparse import ArgumentParser
from dataclasses import dataclass, is_dataclass

import pytest

import training
from attacks import patch_training
from story import Parametrised, param
from training.recipes import Described, add_recipe_options, recipe_with, setting, settings_of


@dataclass(frozen=True)
class Soup(Described):
    """A recipe of every kind of field."""

    litres: float = setting(1.5, low=0.1, unit="l", help="how much")
    people: int = setting(4, low=1, high=12, help="who eat, 100 % of them")
    herb: str = setting("dill", choices=("dill", "mint"), help="which herb")
    song: str = setting("", help="what is sung")
    hot: bool = setting(True, help="whether it is hot")
    minutes: tuple[int, ...] = setting((5, 10), low=0, unit="min", help="of each stage")


@dataclass(frozen=True)
class Gazpacho(Soup):
    """A child with other defaults, and a field of its own."""

    hot: bool = False
    ice: int = setting(3, low=0, unit="cubes", help="in a bowl")


def parser_of(recipe=None, **named):
    parser = ArgumentParser()
    add_recipe_options(parser, recipe or Soup(), named)
    return parser


def cooked(*words, recipe=None):
    return recipe_with(recipe or Soup(), vars(parser_of().parse_args(words)))


def test_what_is_not_given_stays():
    mine = Soup(litres=3.0, hot=False, minutes=(1,))
    assert cooked(recipe=mine) == mine


def test_what_is_given_is_taken_in_its_type():
    words = ["--litres", "2", "--people", "6", "--herb", "mint", "--no-hot", "--minutes", "7", "8", "9"]
    assert cooked(*words, "--song", "la") == Soup(2.0, 6, "mint", "la", False, (7, 8, 9))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--people", "many"], "invalid int value: 'many'"),
        (["--people", "13"], "people is 1 to 12, not 13"),
        (["--litres", "0"], "litres is 0.1 or more l, not 0.0"),
        (["--litres", "nan"], "litres is 0.1 or more l, not nan"),
        (["--minutes", "5", "-1"], "minutes is 0 or more min, not -1"),
        (["--herb", "sage"], "herb is dill, mint, not 'sage'"),
    ],
)
def test_a_wrong_word_is_refused_in_a_sentence(capsys, words, sentence):
    with pytest.raises(SystemExit):
        cooked(*words)
    assert sentence in capsys.readouterr().err


def test_a_recipe_refuses_a_value_outside_its_range():
    for values in ({"people": 0}, {"minutes": (3, -1)}, {"herb": "sage"}, {"litres": float("inf")}):
        with pytest.raises(ValueError, match=f"{next(iter(values))} is "):
            Soup(**values)


def test_help_tells_range_unit_and_every_recipes_default():
    text = " ".join(parser_of(big=Soup(people=12, minutes=(20,))).format_help().split())
    assert "--litres X how much (0.1 or more l; by default 1.5)" in text
    assert "--people N who eat, 100 % of them (1 to 12; by default 4, big: 12)" in text
    assert "--herb WORD which herb (dill, mint; by default dill)" in text
    assert "--song WORD what is sung (by default none)" in text
    assert "--hot, --no-hot whether it is hot (by default on)" in text
    assert "--minutes N [N ...] of each stage (0 or more min; by default 5 10, big: 20)" in text


def test_a_child_keeps_what_its_parent_says():
    assert list(settings_of(Gazpacho)) == ["litres", "people", "herb", "song", "hot", "minutes", "ice"]
    assert settings_of(Gazpacho)["hot"] == settings_of(Soup)["hot"]
    assert "--hot, --no-hot whether it is hot (by default off)" in " ".join(
        parser_of(Gazpacho()).format_help().split()
    )
    with pytest.raises(ValueError, match="ice is 0 or more cubes, not -1"):
        Gazpacho(ice=-1)


def test_a_field_that_says_nothing_is_an_error():
    @dataclass(frozen=True)
    class Stew(Soup):
        salt: float = 1.0

    with pytest.raises(TypeError, match="the field salt of Stew does not say what it is"):
        settings_of(Stew)


def test_a_methods_parameters_are_settings_in_the_units_of_the_code():
    @dataclass(frozen=True)
    class Method(Parametrised):
        share: float = param(0.1, low=0.01, high=0.5, shown_as=100, unit="% of the area", help="size")
        turn: float = param(0.0, low=0, high=180, unit="°", help="most")

    text = " ".join(parser_of(Method()).format_help().split())
    assert "--share X size; 1 is 100 % of the area (0.01 to 0.5; by default 0.1)" in text
    assert "--turn X most (0 to 180 °; by default 0)" in text


def recipes():
    """Every recipe of a training: the dataclasses whose names end so."""
    names = [module.name for module in pkgutil.iter_modules(training.__path__)]
    modules = [importlib.import_module(f"training.{name}") for name in names]
    classes = {
        value
        for module in (*modules, patch_training)
        for name, value in vars(module).items()
        if name.endswith("Recipe") and is_dataclass(value)
    }
    return sorted(classes, key=lambda recipe: (recipe.__module__, recipe.__name__))


def test_all_recipes_are_looked_at():
    assert [f"{recipe.__module__}.{recipe.__name__}" for recipe in recipes()] == [
        "attacks.patch_training.Recipe",
        "training.attacked_photos.AttackRecipe",
        "training.fit_suspicion.Recipe",
        "training.train_advfilter.Recipe",
        "training.train_classifier.Recipe",
        "training.train_hardened.HardenedRecipe",
    ]


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: f"{recipe.__module__}.{recipe.__name__}")
def test_every_field_of_every_recipe_is_described(recipe):
    defaults = recipe()
    for name, described in settings_of(recipe).items():
        assert len(described.help) > 5, name
        value = getattr(defaults, name)
        described.check(name, value)
        numbers = value if isinstance(value, tuple) else (value,)
        if not isinstance(value, bool) and isinstance(numbers[0], int | float):
            assert described.low is not None, f"{name} has no range"
