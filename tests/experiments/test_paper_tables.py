"""The results say what the rows say: the same claims hold or fall with other rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from attacks.noise import Noise
from evaluation.many_photos.batch import NONE
from evaluation.many_photos.claims import Cells
from evaluation.many_photos.rows import Rows
from evaluation.many_photos.run_folder import SCHEMA
from evaluation.many_photos.summary import summarise
from experiments import paper_tables
from experiments.paper_tables import EXPERIMENTS, MARK, main, results, write

PHOTOS = 60


def rows_of(plan, right, ssim=0.9):
    """Rows of ``PHOTOS`` photos; ``right`` is the share of right labels of a cell, ``ssim`` of a defense."""
    rows = []
    for number in range(PHOTOS):
        draw = np.random.default_rng(number).random()
        for attack, defense in plan.cells:
            good = bool(draw < right(attack, defense))
            rows.append(
                {
                    "number": number,
                    "attack": attack,
                    "defense": defense,
                    "outcome": "right" if good else "wrong",
                    "cause": "" if good else "wrong on the clean photo",
                    "label": "cat",
                    "clean": "cat",
                    "ssim": ssim if isinstance(ssim, float) else ssim(defense),
                    "psnr": 20.0,
                    "ndcg": 0.9,
                    "milliseconds": 1.0,
                }
            )
    return Rows(pa.Table.from_pylist(rows, SCHEMA))


def written(name, classifier, right, ssim=0.9):
    plan = EXPERIMENTS[name].plan(classifier)
    rows = rows_of(plan, right, ssim)
    told = summarise([rows.table])
    return results({name: (told, EXPERIMENTS[name].claims(Cells(rows)))}, ["A fact."])


def under(text, heading):
    return text.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_patches_where_the_paper_is_right(tiny_classifier):
    def right(attack, defense):
        return {"lgs": 0.5, "slgs": 0.9}.get(defense.partition(" ")[0], 0.7)

    def ssim(defense):
        return {"lgs": 0.8, "wlgs": 0.9, "slgs": 0.95}.get(defense.partition(" ")[0], 1.0)

    text = written("patches", tiny_classifier, right, ssim)
    holds = under(text, "Claims that hold here")
    assert "Without a patch, SLGS keeps more labels right than LGS, λ 2.3" in holds
    assert "SLGS changes clean photos less than WLGS does, λ 2.3 (Fig. 6): +0.0500 (+0.0500" in holds
    assert holds.count("at least as good") == 25
    assert "Over half of the photos that SLGS" in holds
    assert under(text, "Claims that do not hold here").strip() == "None."
    assert "steadier" in under(text, "Claims that these photos do not decide")
    assert "| slgs λ 3.5 | 90.0" in text or "| slgs λ 3.5 | 9" in text
    assert text.count("\n| 2.7 |") == 1


def test_patches_where_it_is_wrong(tiny_classifier):
    def right(attack, defense):
        return {"lgs": 0.9, "slgs": 0.3}.get(defense.partition(" ")[0], 0.7)

    text = written("patches", tiny_classifier, right)
    fails = under(text, "Claims that do not hold here")
    assert fails.count("keeps more labels right") == 5
    assert fails.count("at least as good") == 25
    assert "at least as good" not in under(text, "Claims that hold here")


def test_a_method_whose_accuracy_moves_with_its_strength_is_not_steady(tiny_classifier):
    def right(attack, defense):
        name, _, strength = defense.partition(" λ ")
        return 0.2 + float(strength) / 5 if name == "lgs" else 0.6

    holds = under(written("patches", tiny_classifier, right), "Claims that hold here")
    assert holds.count("WLGS is steadier across λ than LGS") == 5


def test_attackers_who_know(tiny_classifier):
    def right(attack, defense):
        return 0.2 if attack.endswith("exact") else 0.6

    text = written("threats", tiny_classifier, right)
    assert under(text, "Claims that hold here").count("by BPDA fools hardly more") == 9
    assert under(text, "Claims that do not hold here").count("by Exact fools hardly more") == 9
    assert "| defense | oblivious | bpda | exact |" in text


def test_noise(tiny_classifier):
    text = written("noise", tiny_classifier, lambda _, defense: 0.3 if defense == NONE else 0.8)
    assert under(text, "Claims that hold here").count("the vote is right more often") == 3


def test_a_run_from_its_photos_and_again(labelled_folder, tiny_classifier, tmp_path_factory, monkeypatch):
    out = tmp_path_factory.mktemp("out")
    monkeypatch.setattr(paper_tables, "load", lambda name, device: tiny_classifier)
    monkeypatch.setattr(tiny_classifier, "working_size", 64)
    line = [
        str(labelled_folder),
        "--limit",
        "4",
        "--runs",
        str(out),
        "--only",
        "noise",
        "--only",
        "deflection",
    ]
    main([*line, "--results", str(out / "docs" / "R.md")])
    text = (out / "docs" / "R.md").read_text()
    assert text.startswith(f"{MARK}\n\n# The papers' tables in small\n\n4 photos of ")
    assert "## Noise and the smoothing vote" in text
    assert "| noise σ 0.375 |" in text
    assert text.count("* Under ") + text.count("* More photos are rejected") == 12
    monkeypatch.setattr(Noise, "perturb", lambda *_: pytest.fail("it is computed already"))
    main([*line, "--results", str(out / "again.md")])
    assert (out / "again.md").read_text() == text


def test_what_stands_above_stays(tmp_path):
    file = tmp_path / "R.md"
    file.write_text(f"# Results\n\nBy hand.\n\n{MARK}\n\nold")
    write(file, "new\n")
    assert file.read_text() == f"# Results\n\nBy hand.\n\n{MARK}\n\nnew\n"
    file.write_text("something else")
    with pytest.raises(ValueError, match="has no line"):
        write(file, "new\n")
    assert file.read_text() == "something else"


def test_what_is_wrong_is_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "nothing"), "--device", "cpu", "--runs", str(tmp_path)])
    assert "there is no folder or zip" in capsys.readouterr().err
