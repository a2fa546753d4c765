"""The table of all defenses runs on a folder and its figures fit together."""

from attacks import ATTACKS
from defenses import DEFENSES
from experiments import defense_table


def test_the_figures_fit_together(labelled_source, tiny_classifier, monkeypatch):
    monkeypatch.setattr(defense_table, "CASES", {"noise": ATTACKS["noise"](sigma=0.2)})
    figures = defense_table.measure(tiny_classifier, labelled_source, size=64, limit=3, seed=0)
    rows = figures["rows"]
    assert [(row["attack"], row["defense"]) for row in rows] == [
        (case, name) for case in ("clean", "noise") for name in ("none", *DEFENSES)
    ]
    assert (rows[0]["top-1"], rows[0]["nDCG"]) == (100, 1)
    assert all(0 <= row["nDCG"] <= 1 for row in rows)
    for row in rows:
        if row["defense"] == "none":
            continue
        assert 0 <= row["top-1"] <= row["top-1 of accepted"] + 1e-9 <= 100 + 1e-9
        assert row["ms"] > 0
        assert (row["rejected"] == 0) or row["defense"] == "smoothing-vote"
