"""What was fitted on a classifier: its own card, or that of the photos' most similar size."""

import json

import pytest

from classifiers.fitted import card_file, fitted_card


@pytest.fixture
def folder(tmp_path):
    for name, side in (("coarse", 40), ("fine", 200), ("other", 56)):
        card_file(tmp_path, name).write_text(json.dumps({"classifier": f"{name}:1", "photo_side": side}))
    return tmp_path


def test_its_own_comes_first(folder, tiny_classifier):
    tiny_classifier.identity = "fine:1"
    assert fitted_card(folder, tiny_classifier)["classifier"] == "fine:1"


@pytest.mark.parametrize(("size", "name"), [(500, "fine"), (57, "other"), (48, "coarse"), (1, "coarse")])
def test_another_gets_the_most_similar_size_and_of_equals_the_first(folder, tiny_classifier, size, name):
    tiny_classifier.working_size = size
    assert fitted_card(folder, tiny_classifier)["classifier"] == f"{name}:1"


def test_no_cards_are_none(tmp_path, tiny_classifier):
    assert fitted_card(tmp_path / "nowhere", tiny_classifier) is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"classifier": "a:1", "photo_side": "large"}'])
def test_a_card_of_nothing_is_a_sentence(tmp_path, tiny_classifier, text):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(ValueError, match=r"broken.json in .* names no classifier and size of photos"):
        fitted_card(tmp_path, tiny_classifier)


def test_a_name_with_a_slash_is_one_file(tmp_path):
    assert card_file(tmp_path, "timm/vit") == tmp_path / "timm-vit.json"
