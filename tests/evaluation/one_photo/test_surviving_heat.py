"""The heat before and after an attack, and the command that measures the defense."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from attacks import ATTACKS
from defenses import HeatAndBlur
from evaluation.one_photo.heat_and_blur import correlation, heats, survival
from experiments import heat_and_blur_table
from explain import STARTS, relevance
from photos import gallery_photo

relevance_module = sys.modules[relevance.__module__]


def test_correlation_is_numpys():
    first, second = torch.rand(
        2, 3, 1, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    expected = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(correlation(first, second), expected, atol=1e-12)
    torch.testing.assert_close(correlation(first, 2 * first + 1), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(correlation(first, 1 - first), -torch.ones(3, dtype=torch.float64))
    assert not correlation(first, torch.ones_like(second)).any()


def test_heats_are_the_defenses_own(photos, tiny_classifier):
    clean, attacked = photos[:1], photos[1:2]
    defense = HeatAndBlur(start="predicted", gamma=0.5)
    found = heats(clean, attacked, tiny_classifier, defense)
    assert tuple(found) == tuple(STARTS)
    for start, kept in found.items():
        started = replace(defense, start=start)
        for x, heat in ((clean, kept.clean), (attacked, kept.attacked)):
            expected = next(step.map for step in started.steps(x, tiny_classifier) if step.name == "heat")
            assert torch.equal(heat, expected)
        assert kept.correlation == pytest.approx(correlation(kept.clean, kept.attacked).item())


def test_survival_has_a_row_for_every_photo(tiny_classifier):
    photos = [gallery_photo(name) for name in ("coffee", "chelsea", "rocket")]
    attack, defense = ATTACKS["noise"](sigma=0.0), HeatAndBlur()
    rows = list(survival(photos, tiny_classifier, attack, defense, size=64))
    assert [row.name for row in rows] == ["coffee", "chelsea", "rocket"]
    for row in rows:
        assert not row.fooled
        assert tuple(row.correlations) == tuple(row.another) == tuple(STARTS)
        assert all(value == pytest.approx(1, abs=1e-5) for value in row.correlations.values())
        assert all(-1 <= value < 1 for value in row.another.values())
    first, second = (
        defense.heat(defense.relevance(photo.working(64), tiny_classifier)) for photo in photos[:2]
    )
    assert rows[0].another["class-free"] == pytest.approx(correlation(first, second).item(), abs=1e-5)
    with pytest.raises(ValueError, match="at least 2 photos, not 1"):
        next(survival(photos[:1], tiny_classifier, attack, defense, size=64))


def test_the_figures_fit_together(labelled_source, tiny_classifier, monkeypatch, capsys):
    monkeypatch.setattr(heat_and_blur_table, "CASES", {"FGSM": ATTACKS["fgsm"](eps=16 / 255)})
    monkeypatch.setattr(heat_and_blur_table, "COLD", (0.0, 10.0))
    figures = heat_and_blur_table.measure(tiny_classifier, labelled_source, size=64, limit=4, seed=0)
    clean, attacked = figures["before"]
    assert (clean["top-1"], clean["nDCG"]) == (100, 1)
    assert attacked["nDCG"] <= 1
    rows = figures["after"]
    assert [(row["attack"], row["start"], row["sigma_cold"]) for row in rows] == [
        (case, start, sigma)
        for case in ("clean", "FGSM")
        for start in ("none", *STARTS)
        for sigma in (0.0, 10.0)
    ]
    before = {row["attack"]: row for row in figures["before"]}
    for row in rows:
        if row["sigma_cold"] == 0 and row["start"] == "none":
            assert row["top-1"] == before[row["attack"]]["top-1"]
            assert row["nDCG"] == pytest.approx(before[row["attack"]]["nDCG"], abs=2e-3)
    assert [row["start"] for row in figures["heat"]] == list(STARTS)
    assert all(-1 <= row["correlation"] <= 1 for row in figures["heat"])
    told = capsys.readouterr().err
    assert all(told.count(f"| {case} |") == len(rows) / 2 for case in ("clean", "FGSM"))


@pytest.mark.parametrize("start", STARTS)
def test_the_table_measures_the_defense(photos, tiny_classifier, monkeypatch, start):
    monkeypatch.setattr(heat_and_blur_table, "COLD", (3.0, 10.0))
    passes = []
    inside = relevance_module.twin_of
    monkeypatch.setattr(relevance_module, "twin_of", lambda model: passes.append(1) or inside(model))
    heat, found = heat_and_blur_table.heated(tiny_classifier, photos, start, "test")
    assert passes == [1]
    for sigma, probabilities in found.items():
        defense = HeatAndBlur(start=start, sigma_cold=sigma)
        expected = tiny_classifier(defense(photos, tiny_classifier)).softmax(1)
        torch.testing.assert_close(probabilities, expected)
        torch.testing.assert_close(heat, defense.heat(defense.relevance(photos, tiny_classifier)))


def test_the_control_is_blurred_all_over(photos, tiny_classifier, monkeypatch):
    monkeypatch.setattr(heat_and_blur_table, "COLD", (1.0, 6.0))
    for sigma, probabilities in heat_and_blur_table.only_blurred(tiny_classifier, photos).items():
        expected = [gaussian_filter(photo, (0, sigma, sigma), mode="mirror") for photo in photos.numpy()]
        expected = tiny_classifier(torch.from_numpy(np.stack(expected))).softmax(1)
        torch.testing.assert_close(probabilities, expected)
