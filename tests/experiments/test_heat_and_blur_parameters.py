"""The search for parameters goes uphill, and only as far as its values reach."""

import pytest
import torch

from attacks import ATTACKS
from defenses import HeatAndBlur
from evaluation.measures.metrics import ndcg
from experiments import heat_and_blur_parameters, heat_and_blur_table
from experiments.heat_and_blur_parameters import BEGINNING, VALUES, measure, scores, searched, tables
from explain import STARTS


def test_scores_are_the_defenses_own(photos, tiny_classifier):
    pictures = {"clean": photos, "noisy": (photos + 0.1).clamp(max=1)}
    y = tiny_classifier(photos).argmax(1)
    defense = HeatAndBlur(start="predicted", sigma_cold=4.0)
    found = scores(tiny_classifier, pictures, y, defense)
    seen = {name: tiny_classifier(defense(x, tiny_classifier)).softmax(1) for name, x in pictures.items()}
    right = {name: 100 * (rows.argmax(1) == y).float().mean().item() for name, rows in seen.items()}
    rankings = [ndcg(tiny_classifier(photos).softmax(1), rows).mean().item() for rows in seen.values()]
    assert found == {
        **{name: round(share, 1) for name, share in right.items()},
        "top-1": round(sum(right.values()) / 2, 2),
        "nDCG": round(sum(rankings) / 2, 4),
    }
    bare = scores(tiny_classifier, {"clean": photos}, y, None)
    assert bare == {"clean": 100, "top-1": 100, "nDCG": 1}


@pytest.mark.parametrize(
    ("worth", "reached"),
    [
        (lambda defense: (0, 0), {}),
        (lambda defense: (-abs(defense.gamma - 2), 0), {"gamma": 2.0}),
        (lambda defense: (0, defense.floor), {"floor": 0.5}),
        (
            # The best cold blur hangs on the floor, which comes later: a second round has to mend it.
            lambda d: (5 * d.floor - abs(d.sigma_cold - (10 if d.floor == 0.5 else 20)) / 10, 0),
            {"floor": 0.5, "sigma_cold": 10.0},
        ),
    ],
)
def test_the_best_is_found_and_the_present_stays_where_nothing_is_better(monkeypatch, worth, reached):
    def scored(_classifier, _pictures, _y, defense):
        first, second = worth(defense)
        return {"top-1": first, "nDCG": second}

    monkeypatch.setattr(heat_and_blur_parameters, "scores", scored)
    rows = searched(None, {}, torch.empty(0), "top-k")
    assert {name: rows[0][name] for name in VALUES} == BEGINNING
    assert {name: rows[-1][name] for name in VALUES} == BEGINNING | reached
    assert all(row["start"] == "top-k" for row in rows)
    ranks = [(row["top-1"], row["nDCG"]) for row in rows]
    assert ranks == sorted(ranks)


def test_the_defaults_are_among_the_values():
    assert VALUES.keys() == BEGINNING.keys()
    assert all(getattr(HeatAndBlur(), name) in values for name, values in VALUES.items())


def test_the_figures_fit_together(labelled_source, tiny_classifier, monkeypatch):
    monkeypatch.setattr(heat_and_blur_table, "CASES", {"FGSM": ATTACKS["fgsm"](eps=16 / 255)})
    monkeypatch.setattr(heat_and_blur_parameters, "VALUES", {"sigma_cold": (0.0, 8.0)})
    figures = measure(tiny_classifier, labelled_source, size=64, limit=4, seed=0)
    first, *rows = figures["rows"]
    assert (first["start"], first["clean"]) == ("no defense", 100)
    assert list(dict.fromkeys(row["start"] for row in rows)) == list(STARTS)
    assert tables(figures).count("\n") == len(rows) + 2
