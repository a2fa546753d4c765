from argparse import ArgumentParser
from dataclasses import dataclass

import pytest

from training.recipes import add_recipe_options, recipe_with


@dataclass(frozen=True)
class Soup:
    """A recipe of every kind of field."""

    litres: float = 1.5
    people: int = 4
    herb: str = "dill"
    hot: bool = True
    minutes: tuple[int, ...] = (5, 10)


def cooked(*words, recipe=None):
    parser = ArgumentParser()
    add_recipe_options(parser, Soup())
    return recipe_with(recipe or Soup(), vars(parser.parse_args(words)))


def test_what_is_not_given_stays():
    mine = Soup(litres=3.0, hot=False, minutes=(1,))
    assert cooked(recipe=mine) == mine


def test_what_is_given_is_taken_in_its_type():
    words = ["--litres", "2", "--people", "6", "--herb", "mint", "--no-hot", "--minutes", "7", "8", "9"]
    assert cooked(*words) == Soup(2.0, 6, "mint", False, (7, 8, 9))


def test_a_word_of_the_wrong_type_is_refused(capsys):
    with pytest.raises(SystemExit):
        cooked("--people", "many")
    assert "invalid int value: 'many'" in capsys.readouterr().err
