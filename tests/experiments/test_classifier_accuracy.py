"""The accuracy of a classifier, compared with counting by hand."""

import json
from argparse import Namespace

import pytest
import torch
from PIL import Image

import classifiers
from evaluation.measures.intervals import wilson
from experiments import classifier_accuracy
from experiments.classifier_accuracy import main, measure, ranks
from photos import Photo, gallery_photo, open_source


def by_hand(classifier, source, *, size, top):
    """How many photos have the right label among the ``top`` likeliest, one at a time."""
    right = 0
    for number in range(len(source)):
        best = classifier.top(classifier(source.read(number).working(size)), top)[0]
        right += source.label(number) in [line.label for line in best]
    return right


def test_top_1_and_top_5_are_those_counted_by_hand(labelled_photos, tiny_classifier):
    source = open_source(str(labelled_photos / "val"))
    figures = measure(tiny_classifier, source, size=64, crop_share=1)
    assert [row["top"] for row in figures["rows"]] == [1, 5]
    for row in figures["rows"]:
        right = by_hand(tiny_classifier, source, size=64, top=row["top"])
        low, high = (round(100 * bound, 1) for bound in wilson(right, 4))
        assert (row["right"], row["%"], row["from"], row["to"]) == (right, 25.0 * right, low, high)


def test_the_place_of_the_right_label():
    likely = torch.tensor([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
    assert ranks(likely, torch.tensor([0, 2])).tolist() == [2, 0]


def test_what_is_left_out_is_counted(labelled_photos, tiny_classifier):
    folder = labelled_photos / "val"
    (folder / "apple" / "broken.jpg").write_bytes(b"none")
    (folder / "apple" / "0.jpg").rename(folder / "unheard.jpg")
    (folder / "yeti").mkdir()
    (folder / "unheard.jpg").rename(folder / "yeti" / "in_0.jpg")
    figures = measure(tiny_classifier, open_source(str(folder)), size=64, crop_share=1)
    assert (figures["photos"], figures["unreadable"], figures["labels it lacks"]) == (3, 1, 1)
    only = measure(tiny_classifier, open_source(str(folder)), size=64, crop_share=1, only="bear/*", limit=1)
    assert (only["photos"], only["unreadable"], only["labels it lacks"]) == (1, 0, 0)
    with pytest.raises(ValueError, match="no photo of"):
        measure(tiny_classifier, open_source(str(folder)), size=64, crop_share=1, only="*/in_*")


@pytest.mark.parametrize(("resize", "share"), [(None, 0.8), (80, 0.8), (64, 1), (96, 2 / 3)])
def test_the_short_side_is_the_classifiers_own_or_as_wanted(
    resize, share, labelled_photos, tiny_classifier, monkeypatch, capsys
):
    shares = []
    monkeypatch.setattr(tiny_classifier, "crop_share", 0.8)
    monkeypatch.setattr(classifier_accuracy, "load", lambda name: tiny_classifier)
    monkeypatch.setattr(Photo, "working", recording(Photo.working, shares))
    given = {"classifier": "tiny", "photos": str(labelled_photos / "val"), "size": 64, "resize": resize}
    main(Namespace(**given, limit=None, seed=0, only="*", json=None))
    assert shares == [share] * 4
    assert f"short side {round(64 / share)} px, centre of 64 px" in capsys.readouterr().out


def recording(working, shares):
    """``working``, which also writes down each share it is asked for."""

    def recorded(photo, size, crop_share):
        shares.append(crop_share)
        return working(photo, size, crop_share)

    return recorded


def test_a_short_side_under_the_working_size_is_refused(labelled_photos, tiny_classifier, monkeypatch):
    monkeypatch.setattr(classifier_accuracy, "load", lambda name: tiny_classifier)
    given = {"classifier": "tiny", "photos": str(labelled_photos / "val"), "size": 64, "resize": 60}
    with pytest.raises(ValueError, match="at least the working size, 64 px, not 60"):
        main(Namespace(**given, limit=None, seed=0, only="*", json=None))


def test_the_command_prints_and_writes(labelled_photos, tiny_classifier, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(classifier_accuracy, "load", lambda name: tiny_classifier)
    given = {"classifier": "tiny", "photos": str(labelled_photos / "val"), "size": 64, "resize": None}
    main(Namespace(**given, limit=None, seed=0, only="*", json=tmp_path / "out.json"))
    assert (
        "4 photos, short side 64 px, centre of 64 px, tiny-0; 0 photos of labels" in capsys.readouterr().out
    )
    assert json.loads((tmp_path / "out.json").read_text())["resize"] == 64


def test_photos_by_imagenets_ids_are_those_of_the_imagenet_classifier(tmp_path):
    for name, wordnet in (("coffee", "n07920052"), ("astronaut", "n02012849")):
        Image.fromarray(gallery_photo(name).pixels).save(tmp_path / f"{wordnet}_{name}.png")
    imagenet = classifiers.load("imagenet", device="cpu")
    figures = measure(imagenet, open_source(str(tmp_path)), size=224, crop_share=0.875)
    # The coffee is an espresso, and the astronaut is no crane.
    assert (figures["photos"], figures["rows"][0]["right"]) == (2, 1)
