"""Automatic λ: the staircase, the area that it is taken at, and λ of each photo by itself."""

import json

import pytest
import torch

from defenses import DEFENSES, automatic
from defenses.automatic import Staircase, busy_area
from story import by_name

METHODS = ("lgs", "slgs", "wlgs")


@pytest.fixture
def stairs(tmp_path, monkeypatch, photos, tiny_classifier):
    """0.5 up to the second largest area among the photos, 3.5 beyond."""
    area = busy_area(DEFENSES["lgs"](threshold=0.05).region(photos, tiny_classifier))
    edge = float(area.sort().values[1])
    card_entry = {"areas": [edge], "lams": [0.5, 3.5]}
    card = {"methods": dict.fromkeys(METHODS, card_entry), "classifier": "tiny-0", "photo_side": 48}
    (tmp_path / "tiny.json").write_text(json.dumps(card))
    flat = {"areas": [], "lams": [1.0]}
    other = {**card, "methods": dict.fromkeys(METHODS, flat), "classifier": "big-0"}
    (tmp_path / "big.json").write_text(json.dumps(other))
    monkeypatch.setattr(automatic, "FOLDER", tmp_path)
    return [0.5 if one <= edge else 3.5 for one in area.tolist()]


def test_steps_hold_up_to_and_including_their_area():
    stairs = Staircase((0.1, 0.3), (1.0, 2.0, 3.0))
    areas = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.30001, 1.0])
    assert stairs.at(areas).tolist() == [1, 1, 2, 2, 3, 3]
    assert Staircase((), (2.3,)).at(torch.tensor([0.5])).tolist() == pytest.approx([2.3])


def test_the_area_counts_a_pixel_once():
    kept = torch.zeros(2, 3, 4, 5)
    kept[0, 0, 0, 0] = kept[0, 2, 0, 0] = kept[0, 1, 2, 3] = 0.3
    assert busy_area(kept).tolist() == pytest.approx([2 / 20, 0])


@pytest.mark.parametrize("name", METHODS)
def test_each_photo_gets_its_own_lambda(name, stairs, photos, tiny_classifier):
    assert len(set(stairs)) == 2
    defense = DEFENSES[name](lam="auto", threshold=0.05)
    result = defense(photos, tiny_classifier)
    for number, lam in enumerate(stairs):
        one = photos[number : number + 1]
        expected = DEFENSES[name](lam=lam, threshold=0.05)(one, tiny_classifier)[0]
        torch.testing.assert_close(result[number], expected)
        assert defense.lam_of(one, tiny_classifier) == lam
        formula = by_name(defense.steps(one, tiny_classifier), "smoothing weight").formula
        assert rf"\lambda = {lam:g}" in formula


def test_each_classifier_has_its_own(stairs, photos, tiny_classifier):
    defense = DEFENSES["lgs"](lam="auto", threshold=0.05)
    assert automatic.fitted_on(tiny_classifier) == "tiny-0"
    tiny_classifier.identity = "big-0"
    assert automatic.fitted_on(tiny_classifier) == "big-0"
    assert [defense.lam_of(photo[None], tiny_classifier) for photo in photos] == [1.0] * 3
    assert set(stairs) == {0.5, 3.5}


@pytest.mark.parametrize("name", METHODS)
def test_without_its_file_it_is_one_sentence(name, tmp_path, monkeypatch, photos, tiny_classifier):
    monkeypatch.setattr(automatic, "FOLDER", tmp_path / "nothing")
    with pytest.raises(ValueError, match=f"no automatic λ for {name}: python -m training.fit_suspicion"):
        DEFENSES[name](lam="auto")(photos, tiny_classifier)


def test_a_number_stays_a_number(photos, tiny_classifier):
    assert DEFENSES["lgs"](lam=3).lam_of(photos[:1], tiny_classifier) == 3
    with pytest.raises(ValueError, match="lam is a number, 0 to 5 × or auto, not 'automatic'"):
        DEFENSES["lgs"](lam="automatic")


@pytest.mark.parametrize("file", sorted(automatic.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_what_ships_knows_all_three_and_where_it_comes_from(file, photos, tiny_classifier):
    card = json.loads(file.read_text(encoding="utf-8"))
    assert tuple(card["methods"]) == METHODS
    assert card["provenance"]
    tiny_classifier.identity = card["classifier"]
    for name in METHODS:
        card_entry = card["methods"][name]
        assert len(card_entry["lams"]) == len(card_entry["areas"]) + 1
        assert card_entry["areas"] == sorted(card_entry["areas"])
        assert all(0 <= lam <= 5 for lam in card_entry["lams"])
        lam = DEFENSES[name](lam="auto").lam_of(photos[:1], tiny_classifier)
        assert any(lam == pytest.approx(one) for one in card_entry["lams"])
