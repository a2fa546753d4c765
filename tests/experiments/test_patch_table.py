"""Patches behind the smoothing defenses, against photos taken one at a time."""

import json
from argparse import Namespace

import pytest

from attacks import universal_patch
from attacks.universal_patch import PATCHES, UniversalPatch
from defenses import LGS, SLGS, WLGS, defend
from evaluation.many_photos.measuring import drawn_photos
from experiments import patch_table
from experiments.patch_table import CLEAN, NONE, column, defenses, main, table, target_table
from photos import open_source

PATCH = "cup"


@pytest.fixture
def model(tiny_classifier, monkeypatch):
    """A classifier that has the patch's target among its labels, and for which the patch is."""
    tiny_classifier.labels = ("apple", "bear", "cup", "dog", "egg")
    card = PATCHES[PATCH]
    object.__setattr__(tiny_classifier, "identity", "tiny-0")
    monkeypatch.setattr(
        universal_patch, "PATCHES", {PATCH: type(card)(**vars(card) | {"classifier": "tiny-0"})}
    )
    monkeypatch.setattr(patch_table, "LAMBDAS", (2.3,))
    return tiny_classifier


@pytest.mark.parametrize("patch", [None, PATCH])
def test_a_column_is_counted_photo_by_photo(patch, labelled_folder, model):
    photos = drawn_photos(open_source(str(labelled_folder)), model, 64, 8, 0)
    figures = column(model, photos, patch)
    right, target, number = dict.fromkeys(figures["right"], 0), 0, 0
    for x, y in zip(photos.x.split(1), photos.y.split(1), strict=True):
        if patch is not None and model.labels[int(y)] == PATCHES[patch].target:
            continue
        shown = x if patch is None else UniversalPatch(patch=patch)(x, y, model)
        number += 1
        said = int(model(shown).argmax())
        right[NONE] += said == int(y)
        target += patch is not None and model.labels[said] == PATCHES[patch].target
        for title, defense in defenses().items():
            right[title] += int(defend(defense, shown, model).labels) == int(y)
    assert (figures["photos"], figures["to target"], figures["right"]) == (number, target, right)


def test_the_defenses_of_the_table():
    every = defenses()
    assert len(every) == 3 + 2 * 2 * 3
    assert every["LGS, λ 1.5"] == LGS(lam=1.5)
    assert every["SLGS, cam, λ 2.3"] == SLGS(lam=2.3, saliency="cam")
    assert every["WLGS, gradient, λ 3.5"] == WLGS(lam=3.5, saliency="gradient")


def test_tables_worked_out_by_hand():
    columns = {
        CLEAN: {"photos": 8, "to target": 0, "right": {NONE: 6, "LGS": 4}},
        "cup": {"photos": 4, "to target": 3, "right": {NONE: 1, "LGS": 3}},
    }
    assert table(columns) == [
        {"defense": NONE, CLEAN: 75.0, "cup": 25.0},
        {"defense": "LGS", CLEAN: 50.0, "cup": 75.0},
    ]
    (row,) = target_table(columns)
    assert (row["patch"], row["photos"], row["to target %"]) == ("cup", 4, 75.0)
    assert row["from"] < 75 < row["to"]


def test_the_command_prints_and_goes_on(labelled_folder, model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(patch_table, "load", lambda name: model)
    given = {"photos": str(labelled_folder), "classifier": "tiny", "size": 64, "limit": 4, "seed": 0}
    main(Namespace(**given, json=tmp_path / "t.json"))
    printed = capsys.readouterr().out
    assert "4 photos at 64 px, tiny-0" in printed
    assert list(json.loads((tmp_path / "t.json").read_text())["columns"]) == [CLEAN, PATCH]
    monkeypatch.setattr(patch_table, "column", None)
    main(Namespace(**given, json=tmp_path / "t.json"))
    assert capsys.readouterr().out == printed
