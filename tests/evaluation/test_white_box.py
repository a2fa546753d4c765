"""The white-box experiment runs on a folder, case by case, and goes on where it was stopped."""

import json

import pytest

from attacks.lavan import LaVAN
from evaluation import white_box

ATTACK = LaVAN(share=0.1, iterations=2)


@pytest.fixture
def measure(labelled_folder, tiny_classifier, monkeypatch, tmp_path):
    monkeypatch.setattr(white_box, "LAMBDAS", (2.3,))

    def run(**given):
        fields = {"size": 64, "limit": 3, "seed": 0, "saliency": "gradient", "file": tmp_path / "out.json"}
        return white_box.measure(tiny_classifier, labelled_folder, ATTACK, **(fields | given))

    return run


def test_every_case_has_its_row(measure):
    figures = measure()
    assert [(row["defense"], row["lam"], row["threat"]) for row in figures["rows"]] == [
        (name, 2.3, threat) for name in ("LGS", "SLGS", "WLGS") for threat in ("oblivious", "bpda", "exact")
    ]
    for row in figures["rows"]:
        assert 0 <= row["to target"] <= 100
        assert 0 <= row["right"] <= 100 - row["to target"] + 1e-9
        low, high = (float(end) for end in row["95 %"].split(" to "))
        assert low <= row["to target"] <= high


def test_finished_cases_are_not_run_again(measure, tmp_path, monkeypatch):
    whole = measure()
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads(json.dumps(whole))
    cut = {**whole, "rows": whole["rows"][:-1]}
    (tmp_path / "out.json").write_text(json.dumps(cut))
    ran = []
    outcome = white_box.outcome

    def spied(attack, threat, *rest):
        ran.append(threat)
        return outcome(attack, threat, *rest)

    monkeypatch.setattr(white_box, "outcome", spied)
    assert measure()["rows"] == whole["rows"]
    assert ran == ["exact"]


def test_the_file_of_another_run_is_left_alone(measure, tmp_path):
    measure(file=None)
    (tmp_path / "out.json").write_text(json.dumps({"classifier": "other", "rows": []}))
    with pytest.raises(ValueError, match="another run"):
        measure()
