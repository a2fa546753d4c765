"""The command that measures every map of a classifier."""

import json
from argparse import Namespace

import pytest

from evaluation.many_photos.measuring import right_photos
from evaluation.measures.faithfulness import health_of
from experiments import map_faithfulness
from experiments.map_faithfulness import main, measure, rows
from explain import MapHealth, maps_of


def test_each_map_is_judged_on_the_same_photos(labelled_source, tiny_classifier):
    figures = measure(tiny_classifier, labelled_source, size=64, limit=6, seed=0)
    photos = right_photos(labelled_source, tiny_classifier, 64, 6, 0)
    assert figures["photos"] == len(photos) == 6
    assert figures["by_name"].keys() == maps_of(tiny_classifier).keys()
    for name in ("saliency gradient", "object map", "relevance predicted"):
        maps = maps_of(tiny_classifier)[name](photos.x)
        expected = health_of(tiny_classifier, photos.x, maps).facts()
        assert figures["by_name"][name] == pytest.approx(expected, abs=1e-3)


def test_a_line_says_what_the_figures_say():
    health = MapHealth(
        photos=200, constant=0.5, empty=0.25, hottest=0.4, coldest=0.9, gap=0.35, low=0.3, high=0.4
    )
    assert rows({"saliency cam": health.facts()}) == [
        {
            "map": "saliency cam",
            "constant": 50.0,
            "empty": 25.0,
            "hottest blurred: left": 40.0,
            "coldest blurred: left": 90.0,
            "hottest cost more by": 35.0,
            "from": 30.0,
            "to": 40.0,
            "doubt": "yes",
        }
    ]


def test_the_command_prints_and_writes(labelled_folder, tiny_classifier, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(map_faithfulness, "load", lambda name: tiny_classifier)
    given = {"photos": str(labelled_folder), "size": 64, "limit": 3, "seed": 0, "json": tmp_path / "m.json"}
    main(Namespace(**given, classifier="tiny", write=False))
    printed = capsys.readouterr().out
    assert "3 photos at 64 px, tiny-0" in printed
    assert "robust cam geometric-mean" in printed
    assert json.loads((tmp_path / "m.json").read_text())["by_name"]["saliency cam"]["photos"] == 3
    with pytest.raises(ValueError, match="only built-in classifiers have a card, and tiny is none"):
        main(Namespace(**given, classifier="tiny", write=True))
