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
    file = tmp_path / "automatic.json"
    card_entry = {"areas": [edge], "lams": [0.5, 3.5]}
    file.write_text(json.dumps({"methods": dict.fromkeys(METHODS, card_entry)}))
    monkeypatch.setattr(automatic, "FILE", file)
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
        assert defense.lam_of(one) == lam
        formula = by_name(defense.steps(one, tiny_classifier), "smoothing weight").formula
        assert rf"\lambda = {lam:g}" in formula


@pytest.mark.parametrize("name", METHODS)
def test_without_its_file_it_is_one_sentence(name, tmp_path, monkeypatch, photos, tiny_classifier):
    monkeypatch.setattr(automatic, "FILE", tmp_path / "nothing.json")
    with pytest.raises(ValueError, match=f"no automatic λ for {name}: python -m training.fit_suspicion"):
        DEFENSES[name](lam="auto")(photos, tiny_classifier)


def test_a_number_stays_a_number(photos, tiny_classifier):
    assert DEFENSES["lgs"](lam=3).lam_of(photos[:1]) == 3
    with pytest.raises(ValueError, match="lam is a number, 0 to 5 × or auto, not 'automatic'"):
        DEFENSES["lgs"](lam="automatic")


def test_what_ships_knows_all_three_and_where_it_comes_from(photos, tiny_classifier):
    card = json.loads(automatic.FILE.read_text(encoding="utf-8"))
    assert tuple(card["methods"]) == METHODS
    assert card["provenance"]
    for name in METHODS:
        card_entry = card["methods"][name]
        assert len(card_entry["lams"]) == len(card_entry["areas"]) + 1
        assert card_entry["areas"] == sorted(card_entry["areas"])
        assert all(0 <= lam <= 5 for lam in card_entry["lams"])
        assert 0 <= DEFENSES[name](lam="auto").lam_of(photos[:1]) <= 5
