"""The command that fits the adversarial score and the automatic λ."""

import json

import pytest
import torch

from defenses.automatic import Staircase
from evaluation.one_photo.adversarial_score import SIGNS, read_suspicion
from training import fit_suspicion
from training.fit_suspicion import Recipe, balanced, fit_score, fit_staircase, judge_staircase


@pytest.fixture
def run(labelled_photos, as_builtin, tmp_path):
    def run(name, *more):
        out = tmp_path / name
        place = ["--photos", labelled_photos, "--out", out, "--checkpoint", tmp_path / f"{name}.pt"]
        fields = ["--batch", 2, "--iterations", 1, "--lams", 3, "--steps", 2]
        fit_suspicion.main([str(word) for word in (*place, *fields, *more)])
        return {file.name: json.loads(file.read_text()) for file in out.iterdir()}

    return run


def test_writes_both_files_with_their_figures(run, tmp_path):
    cards = run("whole")
    assert set(cards) == {"suspicion.json", "automatic.json"}
    assert read_suspicion(tmp_path / "whole" / "suspicion.json").classifier == "tiny-0"
    score = cards["suspicion.json"]
    assert tuple(score["weights"]) == tuple(SIGNS)
    assert score["val"]["photos"] == 8
    assert score["fitted_on"] == {"photos": 8, "of them attacked": 4}
    for card in cards.values():
        assert card["provenance"]
        assert card["recipe"]["iterations"] == 1
    for row in cards["automatic.json"]["val"].values():
        assert row["gain"] == pytest.approx(row["automatic"] - row["fixed"], abs=2e-4)
        assert row["fixed"] <= row["best fixed in hindsight"] + 1e-9


def test_goes_on_where_it_was_stopped(run, monkeypatch):
    whole = run("whole")
    measured = fit_suspicion.measured

    def breaks(*given):
        return measured(*given) if given[-2:] != (1, "train") else 1 / 0

    monkeypatch.setattr(fit_suspicion, "measured", breaks)
    with pytest.raises(ZeroDivisionError):
        run("broken")
    ran = []

    def spied(*given):
        ran.append(given[-2:])
        return measured(*given)

    monkeypatch.setattr(fit_suspicion, "measured", spied)
    assert run("broken") == whole
    assert ran == [(1, "train"), (0, "val"), (1, "val")]
    with pytest.raises(ValueError, match="another recipe or classifier"):
        run("broken", "--seed", "1")


def test_the_fit_finds_the_signs_that_count():
    generator = torch.Generator().manual_seed(0)
    signs = torch.rand(4000, 4, generator=generator)
    chance = torch.sigmoid(6 * signs[:, 0] - 3 * signs[:, 2] - 1)
    patched = torch.rand(4000, generator=generator) < chance
    weights, bias = fit_score(signs, patched, 1e-6)
    assert weights.tolist() == pytest.approx([6, 0, -3, 0], abs=0.5)
    assert bias == pytest.approx(-1, abs=0.5)


def test_a_sign_that_says_all_or_nothing_has_a_finite_weight():
    patched = torch.arange(20) >= 10
    signs = torch.stack([patched.float(), torch.zeros(20), torch.rand(20), torch.ones(20)], 1)
    weights, bias = fit_score(signs, patched, 1e-2)
    assert weights.isfinite().all()
    assert ((signs.double() @ weights + bias > 0) == patched).all()


def test_the_staircase_takes_the_best_lambda_of_each_range():
    area = torch.linspace(0, 1, 100)
    lams = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    right = torch.zeros(100, 5, dtype=torch.bool)
    right[:50, 1], right[50:, 3] = True, True
    stairs = fit_staircase(area, right, lams, 2)
    assert stairs.areas == pytest.approx((0.5,), abs=0.02)
    assert stairs.lams == (1.0, 3.0)


def test_the_gain_is_counted_against_the_fixed_lambda_of_the_fit():
    patched = torch.tensor([False, False, True, True])
    right = torch.tensor([[True, False], [True, False], [False, True], [False, False]])
    rows = {"lgs": right, "patched": patched, "area": torch.tensor([0.0, 0.0, 1.0, 1.0])}
    assert balanced(right, patched).tolist() == [0.5, 0.25]
    figures = judge_staircase(rows, rows, "lgs", Staircase((0.5,), (1.0, 4.0)), torch.tensor([1.0, 4.0]))
    assert figures["best fixed on train"] == 1.0
    assert (figures["automatic"], figures["fixed"], figures["gain"]) == (0.75, 0.5, 0.25)


def test_the_grid_spans_the_range_of_lambda():
    assert Recipe(lams=3).grid().tolist() == [0, 2.5, 5]
