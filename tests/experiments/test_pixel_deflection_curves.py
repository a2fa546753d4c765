"""The command that measures Pixel Deflection runs on a folder and its figures fit together."""

from evaluation.one_photo.pixel_deflection import COMBINATIONS
from experiments import pixel_deflection_curves


def test_the_figures_fit_together(labelled_source, tiny_classifier, monkeypatch):
    monkeypatch.setattr(pixel_deflection_curves, "DEFLECTIONS", (0, 200))
    monkeypatch.setattr(pixel_deflection_curves, "WINDOWS", (5, 10))
    monkeypatch.setattr(pixel_deflection_curves, "STRENGTHS", (1, 4))
    figures = pixel_deflection_curves.measure(tiny_classifier, labelled_source, size=64, limit=6, seed=0)
    assert figures["photos"] <= 6
    first, *rows = figures["rows"]
    assert first["clean"] == 100
    assert len(rows) == 3 * len(COMBINATIONS)
    untouched = next(row for row in rows if row["deflections"] == 0 and row["parts"] == "PD")
    for name in ("clean", "ε 1/255", "ε 4/255"):
        assert untouched[name] == first[name]
        assert untouched[f"{name}, nDCG"] == first[f"{name}, nDCG"] <= first["clean, nDCG"] == 1
    for row in figures["failures"]:
        assert row["photos not restored"] <= figures["photos"]
