"""The threshold of a classifier's confidence, compared with counting by hand."""

import json
from argparse import Namespace

import pytest
import torch

from classifiers.card import CardedWeights
from evaluation.measures.intervals import wilson
from experiments import card_entry, confidence_threshold
from experiments.confidence_threshold import main, measure, threshold
from photos import open_source


@pytest.mark.parametrize("count", [1, 19, 20, 21, 137])
def test_the_threshold_is_the_highest_that_leaves_five_percent_under_it(count):
    confidences = torch.rand(count, generator=torch.Generator().manual_seed(count))
    chosen = threshold(confidences)
    under = [sum(value < bound for value in confidences.tolist()) for bound in (chosen, chosen + 1e-4)]
    assert under[0] <= 0.05 * count < under[1]


def test_without_a_right_answer_there_is_none():
    with pytest.raises(ValueError, match="at least one photo"):
        threshold(torch.empty(0))


def by_hand(classifier, source):
    """(right?, confidence) of each photo, one at a time."""
    answers = []
    for number in range(len(source)):
        (best,) = classifier.top(classifier(source.read(number).working(64)), 1)[0]
        answers.append((best.label == source.label(number), best.probability))
    return answers


def test_what_falls_under_it_is_counted_by_hand(labelled_photos, tiny_classifier):
    source = open_source(str(labelled_photos / "val"))
    folder = labelled_photos / "train"
    (folder / "apple").rename(folder / "teapot")
    (folder / "teapot" / "broken.jpg").write_bytes(b"none")
    figures = measure(tiny_classifier, source, open_source(str(folder)), size=64)
    sure_from = figures["sure_from"]
    for kind in (True, False):
        one = figures["right" if kind else "wrong"]
        confidences = [confidence for right, confidence in by_hand(tiny_classifier, source) if right == kind]
        assert one["photos"] == len(confidences)
        assert one["under"] == sum(confidence < sure_from for confidence in confidences)
        assert one["share_interval"] == pytest.approx(wilson(one["under"], one["photos"]), abs=1e-4)
    # Of the photos without a fitting label those of "bear" are none, and a broken one is passed over.
    assert (figures["unknown"]["photos"], figures["unknown"]["labels"]) == (2, 1)
    assert measure(tiny_classifier, source, size=64)["unknown"] is None


def test_the_command_writes_the_card(labelled_photos, tiny_classifier, tmp_path, monkeypatch, capsys):
    files = CardedWeights(tmp_path, "classifier-tiny", "Tiny")
    files.card.write_text(json.dumps({"name": "tiny", "confidence": {"sure_from": 1}, "labels": ["ant"]}))
    monkeypatch.setattr(confidence_threshold, "load", lambda name: tiny_classifier)
    monkeypatch.setattr(card_entry, "builtin_names", lambda: ("tiny",))
    monkeypatch.setattr(card_entry, "builtin_files", lambda name: files)
    given = {"photos": str(labelled_photos / "val"), "unknown": None, "size": 64, "limit": None, "seed": 0}
    main(Namespace(**given, classifier="tiny", write=True, json=tmp_path / "figures.json"))
    card = files.read_card()
    assert (card["name"], card["labels"]) == ("tiny", ["ant"])
    assert card["confidence"]["command"].endswith("--write --classifier tiny --photos PHOTOS")
    assert str(labelled_photos) not in files.card.read_text()
    assert f"is sure from {card['confidence']['sure_from']:.1%} on" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["sure_from"] == card["confidence"]["sure_from"]
    with pytest.raises(ValueError, match="only built-in classifiers have a card"):
        main(Namespace(**given, classifier="resnet18", write=True, json=None))
