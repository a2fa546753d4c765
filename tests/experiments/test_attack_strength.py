"""The strength that fools a classifier, against counting by hand."""

import json
from argparse import Namespace

import pytest
import torch

from attacks.iterated_fgsm import IteratedFGSM
from attacks.labels import random_target
from attacks.lavan import LaVAN
from classifiers import builtin_names, read_card
from evaluation.many_photos.measuring import right_photos
from evaluation.measures.intervals import wilson
from experiments import attack_strength
from experiments.attack_strength import ENOUGH, MOSTLY, STRENGTHS, main, measure, patch_goal, rows


def by_hand(photos, model, level, iterations):
    """How many photos are fooled, one at a time."""
    fooled = 0
    for x, y in zip(photos.x.split(1), photos.y.split(1), strict=True):
        attacked = IteratedFGSM(eps=level / 255, iterations=iterations)(x, y, model)
        fooled += int(model(attacked).argmax() != y)
    return fooled


def test_the_weakest_that_fools_enough(labelled_source, tiny_classifier):
    photos = right_photos(labelled_source, tiny_classifier, 64, 8, 0)
    figures = measure(tiny_classifier, labelled_source, size=64, limit=8, seed=0)
    expected = []
    for level, iterations in STRENGTHS:
        expected.append(by_hand(photos, tiny_classifier, level, iterations))
        if expected[-1] >= ENOUGH * len(photos):
            break
    assert [one["fooled"] for one in figures["tried"]] == expected
    assert len(expected) > 1
    assert (255 * figures["eps"], figures["iterations"]) == pytest.approx(STRENGTHS[len(expected) - 1])
    assert figures["enough"] == (expected[-1] >= ENOUGH * len(photos))
    assert figures["tried"][-1]["interval"] == pytest.approx(wilson(expected[-1], len(photos)), abs=1e-4)


def test_where_nothing_is_enough_it_says_so(labelled_source, tiny_classifier, monkeypatch):
    monkeypatch.setattr(attack_strength, "STRENGTHS", ((0, 1),))
    figures = measure(tiny_classifier, labelled_source, size=64, limit=3, seed=0)
    assert (figures["enough"], figures["tried"][0]["fooled"], figures["eps"]) == (False, 0, 0)
    assert rows(figures["tried"])[0]["%"] == 0


def test_lavan_is_after_what_it_gets_to(labelled_source, tiny_classifier, monkeypatch):
    photos = right_photos(labelled_source, tiny_classifier, 64, 5, 0)
    monkeypatch.setattr(attack_strength, "PATCH_PHOTOS", 4)
    figures = patch_goal(tiny_classifier, photos, 3)
    reached = fooled = 0
    for number, y in enumerate(photos.y[:4].tolist()):
        x, digest = photos.x[number : number + 1], photos.digests[number]
        target = random_target(digest, len(tiny_classifier.labels), 3, (y,))
        aimed = LaVAN(goal="targeted")(x, torch.tensor([target]), tiny_classifier)
        reached += int(tiny_classifier(aimed).argmax() == target)
        away = LaVAN(goal="untargeted")(x, torch.tensor([y]), tiny_classifier)
        fooled += int(tiny_classifier(away).argmax() != y)
    assert figures["patch"] == {"photos": 4, "reached": reached, "fooled": fooled}
    for mostly in (reached / 4, reached / 4 + 0.01):
        monkeypatch.setattr(attack_strength, "MOSTLY", mostly)
        goal = patch_goal(tiny_classifier, photos, 3)["patch goal"]
        assert goal == ("targeted" if mostly == reached / 4 else "untargeted")


def test_the_command_prints_and_writes(labelled_folder, tiny_classifier, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(attack_strength, "load", lambda name: tiny_classifier)
    given = {"photos": str(labelled_folder), "size": 64, "limit": 3, "seed": 0, "json": tmp_path / "a.json"}
    main(Namespace(**given, classifier="tiny", write=False))
    assert "3 photos at 64 px, tiny-0" in capsys.readouterr().out
    assert json.loads((tmp_path / "a.json").read_text())["photos"] == 3
    with pytest.raises(ValueError, match="only built-in classifiers have a card, and tiny is none"):
        main(Namespace(**given, classifier="tiny", write=True))


@pytest.mark.parametrize("name", builtin_names())
def test_the_cards_strength_is_the_weakest_of_the_list_that_fooled_enough(name):
    card = read_card(name)["attack"]
    shares = [one["fooled"] / card["photos"] for one in card["tried"]]
    assert all(share < ENOUGH for share in shares[:-1])
    assert (shares[-1] >= ENOUGH) == card["enough"]
    tried = [(round(255 * one["eps"], 3), one["iterations"]) for one in card["tried"]]
    assert tried == list(STRENGTHS[: len(tried)])
    assert (round(255 * card["eps"], 3), card["iterations"]) == tried[-1]


@pytest.mark.parametrize("name", builtin_names())
def test_the_cards_goal_is_the_one_that_lavan_mostly_gets_to(name):
    card = read_card(name)["attack"]
    share = card["patch"]["reached"] / card["patch"]["photos"]
    assert card["patch goal"] == ("targeted" if share >= MOSTLY else "untargeted")
