"""What is said of a map by what was measured of it."""

from dataclasses import replace

import pytest

from explain import MapHealth, doubt

SOUND = MapHealth(
    photos=200, constant=0.02, empty=0.01, hottest=0.4, coldest=0.9, gap=0.35, low=0.3, high=0.4
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"constant": 0.5}, "on 50 % of 200 photos this map is the same everywhere."),
        ({"low": -0.01}, "blurring this map's hottest 30 % did not measurably cost more"),
        ({"gap": -0.2, "low": -0.3, "high": -0.1}, "did not measurably cost more"),
    ],
)
def test_what_speaks_against_a_map(tiny_classifier, changes, words):
    health = replace(SOUND, **changes)
    tiny_classifier.map_health = {"saliency cam": health.facts()}
    said = doubt("saliency cam", tiny_classifier)
    assert words in said
    assert bool(said) == bool(words) == said.startswith("Doubtful for this classifier:")
    assert doubt("saliency gradient", tiny_classifier) == ""


def test_it_goes_through_a_card():
    assert MapHealth.of(SOUND.facts()) == SOUND
