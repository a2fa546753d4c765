"""The tables of the denoisers: figures by hand, and the command on tiny networks."""

import numpy as np
import pytest

import denoisers.weights
from denoisers import STRENGTHS, VARIANTS
from experiments import advfilter_tables
from experiments.advfilter_tables import ALL, claims_of, measure, seen_in, tables
from photos import open_source
from tests.denoisers.tiny import write_tiny
from training import attacked_photos, checkpoint


@pytest.fixture
def figures_of(labelled_photos, as_builtin, tmp_path, monkeypatch):
    """The figures of tiny denoisers on four photos."""
    monkeypatch.setattr(attacked_photos, "BLOCK", 4)
    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path)
    monkeypatch.setattr(denoisers.weights, "FOLDER", tmp_path / "advfilter")
    monkeypatch.setattr(
        advfilter_tables, "AttackRecipe", lambda seed: attacked_photos.AttackRecipe(iterations=1)
    )
    monkeypatch.setattr(advfilter_tables.classifiers, "names", lambda: ("tiny", "builtin-hardened"))
    (tmp_path / "advfilter").mkdir()

    def figures_of(*variants):
        write_tiny(tmp_path / "advfilter")
        for variant in set(VARIANTS) - set(variants or VARIANTS):
            (tmp_path / "advfilter" / f"{variant}.json").unlink()
        return measure(as_builtin, open_source(str(labelled_photos / "val")), size=64, limit=4, seed=0)

    return figures_of


def test_every_denoiser_and_table(figures_of):
    figures = figures_of()
    assert figures["photos"] == 4
    assert figures["denoisers"] == list(VARIANTS)
    assert figures["strengths"] == [0.0, *STRENGTHS]
    rows = figures["rows"]
    assert set(rows) == {
        *("none", "add-img", "add-sem", "filt-img", "filt-sem", "filt-strong", "pa-filt", "pa-filt, sl"),
        *("pa-filt, m", *(f"multi-head, head {number}" for number in range(1, 5))),
    }
    fusion = {"U sl", "U m", "W", "AUC of U sl", "AUC of U m"}
    for row, values in rows.items():
        assert set(values) - {"right", "psnr", "ssim", "right, hardened"} == (
            fusion if row == "pa-filt" else set()
        )
        assert all(len(one) == 13 for one in values.values())
        assert values["right"] == values["right, hardened"]  # the same classifier here
    assert rows["none"]["psnr"][0] == 100
    assert rows["none"]["psnr"][1:] == sorted(rows["none"]["psnr"][1:], reverse=True)
    text = tables(figures)
    for number in range(1, 6):
        assert f"Table {number}" in text
    assert "| pa-filt, sl |" in text
    assert "| AUC of U sl | 0.5000 |" in text
    assert rows["pa-filt"]["AUC of U m"][0] == 0.5  # clean photos against themselves
    assert all(0 < value < 1 for value in rows["pa-filt"]["W"])
    assert len(figures["claims"]) == 12
    assert {one["verdict"] for one in figures["claims"]} == {"undecided"}  # of four photos


def test_what_is_not_installed_is_left_out(figures_of):
    figures = figures_of("filt-img")
    assert set(figures["rows"]) == {"none", "filt-img"}
    text = tables(figures)
    assert "Table 3: accuracy in %, heads" in text  # the row without a denoiser
    assert "| add-img |" not in text


def test_another_size_and_no_denoiser_are_refused(figures_of, as_builtin, labelled_photos):
    with pytest.raises(ValueError, match="not at 96"):
        measure(as_builtin, open_source(str(labelled_photos / "val")), size=96, limit=4, seed=0)
    with pytest.raises(ValueError, match="no denoiser"):
        measure(as_builtin, open_source(str(labelled_photos / "val")), size=64, limit=4, seed=0)


def made_up(**right):
    """Figures of 100 photos: a share of right answers at every ε, by row; PSNR is 20 dB and that share."""
    return {
        row.replace("_", "-"): {
            "right": np.tile(np.arange(100) < 100 * share, (13, 1)).astype(float),
            "right, hardened": np.tile(np.arange(100) < 100 * share, (13, 1)).astype(float),
            "psnr": np.full((13, 100), 20 + share),
            "ssim": np.full((13, 100), share),
        }
        for row, share in right.items()
    }


def test_auc_of_uncertainties_by_hand():
    falling = np.tile([[0.9, 0.8]], (13, 1))
    falling[7] = [0.5, 0.4]  # both under both clean ones
    falling[8] = [0.95, 0.7]  # one over both, one under both
    aucs = seen_in(falling)
    assert (aucs[0], aucs[7], aucs[8]) == (0.5, 1, 0.5)


def test_claims_by_hand():
    figures = made_up(none=0.5, add_img=0.5, filt_img=0.7, filt_sem=0.6, pa_filt=0.9)
    by_words = {one.words: one for one in claims_of(figures)}
    assert len(by_words) == 9
    begins = {
        "Filtering is right more often than adding": "holds",
        "Filt(L_img) is weak": "does not hold",
        "PA-Filt mends that": "holds",
        "PA-Filt costs at most 2 points": "holds",
    }
    for start, verdict in begins.items():
        assert [one.verdict for words, one in by_words.items() if words.startswith(start)] == [verdict]
    lead = next(one for words, one in by_words.items() if "higher PSNR" in words)
    assert (lead.value, lead.unit) == (pytest.approx(0.2), "dB")
    every = next(one for words, one in by_words.items() if "every single" in words)
    assert every.value == pytest.approx(20)
    assert len(ALL) == 13


def test_the_worst_epsilon_decides_on_psnr():
    figures = made_up(add_img=0.5, filt_img=0.7)
    figures["filt-img"]["psnr"][7] = 19
    lead = next(one for one in claims_of(figures) if "higher PSNR" in one.words)
    assert lead.value == pytest.approx(-1.5)
    assert lead.verdict == "does not hold"
