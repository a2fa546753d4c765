"""The list of patches, and what is said of one that is moved or turned."""

import pytest

import classifiers
from attacks import universal_patch
from attacks.universal_patch import Patch, PatchCard, with_patches
from story.param import AUTO
from ui.attack.patch_choice import (
    for_every_place,
    shifted,
    shifted_words,
    titles,
    training_words,
)

TOP_RIGHT = {"x": 1.0, "y": 0.0, "margin": 0.025}


def card(name, target, share, classifier, *, place=TOP_RIGHT, rotation=None, fooled=(0.9, 0.2, 0.1)):
    """For one place; where there is a ``rotation``, for every place."""
    figures = dict(zip(("fooled", "fooled turned", "fooled anywhere"), fooled, strict=True))
    everything = {
        "kind": "lavan" if rotation is None else "adversarial-patch",
        "place": place,
        "recipe": {"rotation": rotation or 0.0},
        "val": {"photos": 1525, **figures},
    }
    return PatchCard(name, target, share, classifier, "0", everything)


@pytest.fixture
def cards(monkeypatch):
    every = [
        card("anywhere", "toaster", 0.1, "net:1", rotation=22.5, fooled=(0.8, 0.7, 0.85)),
        card("ball", "baseball", 0.022, "net:1", fooled=(0.71, 0.2, 0.04)),
        card("ball-anywhere", "baseball", 0.05, "net:1", rotation=180.0, fooled=(0.6, 0.5, 0.55)),
        card("cup", "cup", 0.05, "other:1"),
        card("toaster", "toaster", 0.1, "net:1", fooled=(0.99, 0.3, 0.2)),
        card("twin", "cup", 0.05, "other:1", fooled=(0.5, 0.1, 0.1)),
    ]
    patches = {each.name: each for each in every}
    monkeypatch.setattr(universal_patch, "PATCHES", patches)
    monkeypatch.setattr(classifiers, "title", str.upper)
    return patches


def placed(name, **fields):
    """The attack with the patch ``name``; at the place where patches lie by default unless ``fields`` say."""
    mine = Patch(pixels=None, share=universal_patch.PATCHES[name].share, target=None)
    return with_patches({name: mine})(patch=name, **fields)


def test_those_for_the_classifier_come_first_and_the_others_name_theirs(cards):
    assert titles("net:1", ["mine"]) == {
        AUTO: "auto: toaster, 10 %, one corner",
        "mine": "mine · yours",
        "ball": "baseball, 2.2 %, one corner",
        "toaster": "toaster, 10 %, one corner",
        "ball-anywhere": "baseball, 5 %, every place",
        "anywhere": "toaster, 10 %, every place",
        "cup": "cup, 5 %, one corner (cup) · for OTHER",
        "twin": "cup, 5 %, one corner (twin) · for OTHER",
    }
    assert list(titles("other:1", []))[:3] == [AUTO, "cup", "twin"]


def test_no_list_promises_an_auto_that_fits_where_none_does(cards):
    words = titles("third:1", [])
    assert words.pop(AUTO) == AUTO
    assert all(" · for " in text for text in words.values())
    assert len(words) == 6


def test_without_patches_that_ship_only_ones_own_are_listed(monkeypatch):
    monkeypatch.setattr(universal_patch, "PATCHES", {})
    assert titles("net:1", ["mine"]) == {"mine": "mine · yours"}


def test_says_on_what_and_for_which_places_it_was_trained(cards):
    assert training_words(cards["ball"], "net:1") == (
        "Trained on NET for the top right corner. There, the classifier predicts baseball on 71 % of 1,525 "
        "unseen photos."
    )
    assert training_words(cards["anywhere"], "net:1") == (
        "Trained on NET for every place, turned by up to 22.5°. Anywhere on the photo, the classifier "
        "predicts toaster on 85 % of 1,525 unseen photos."
    )
    assert "for every place and angle. " in training_words(cards["ball-anywhere"], "net:1")
    foreign = training_words(cards["cup"], "net:1")
    assert "that classifier predicts cup" in foreign
    assert foreign.endswith("On the classifier in use it may do nothing.")
    assert training_words(cards["cup"], "third:1").endswith("of 1,525 unseen photos.")


@pytest.mark.parametrize(
    ("x", "y", "where", "short"),
    [
        (1.0, 0.0, "top right corner", "one corner"),
        (0.1, 0.9, "bottom left corner", "one corner"),
        (0.5, 1.0, "bottom edge", "one edge"),
        (0.0, 0.5, "left edge", "one edge"),
        (0.5, 0.5, "middle", "the middle"),
    ],
)
def test_names_the_place(x, y, where, short):
    one = card("a", "cup", 0.05, "net:1", place={"x": x, "y": y, "margin": 0.0})
    assert one.place == where
    assert one.title == f"cup, 5 %, {short}"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (False, False)),
        # The margin holds it there, or it is off by less than one can see.
        ({"x": 0.99}, (False, False)),
        ({"y": 0.11}, (False, False)),
        ({"x": 0.5}, (True, False)),
        ({"y": 0.3}, (True, False)),
        ({"rotation": -5.0}, (False, True)),
        ({"x": 0.2, "rotation": 5.0}, (True, True)),
        ({"scale": 2.0}, (False, False)),
    ],
)
def test_knows_whether_it_lies_off_its_place(fields, expected, cards):
    assert shifted(placed("ball", **fields), cards["ball"], 224) == expected
    assert shifted(placed("anywhere", **fields), cards["anywhere"], 224) == (False, expected[1])


def test_says_what_was_measured_off_the_place(cards):
    def words(name="ball", **fields):
        return shifted_words(placed(name, **fields), cards[name], 224)

    assert words() == ""
    assert words(x=0.5) == "Moved off its corner, this patch fooled 4 % of 1,525 photos."
    assert words(x=0.5, rotation=3.0).endswith("1,525 photos; turned as well, it was not measured.")
    assert words(rotation=20.0) == "Turned by up to 20°, this patch fooled 20 % of 1,525 photos."
    assert words(rotation=-21.0).endswith("1,525 photos; not measured beyond that.")
    assert words("anywhere", x=0.5) == ""
    assert "fooled 70 %" in words("anywhere", x=0.5, rotation=9.0)


def test_offers_the_patch_for_every_place_that_does_better(cards):
    def offered(name, **fields):
        better = for_every_place(cards[name], placed(name, **fields), 224)
        return None if better is None else better.name

    assert offered("ball", x=0.5) == "ball-anywhere", "of the same target, though another fools more"
    assert offered("toaster", x=0.5) == "anywhere"
    assert offered("toaster", rotation=9.0) == "anywhere"
    assert offered("cup", x=0.5) is None
    assert offered("anywhere", rotation=9.0) is None
    cards["toaster"].everything["val"]["fooled anywhere"] = 0.86
    assert offered("toaster", x=0.5) is None
