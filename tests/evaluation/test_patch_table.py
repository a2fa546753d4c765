"""The command that measures the gradient smoothing defenses runs on a folder and its figures fit together."""

from attacks.lavan import LaVAN
from attacks.pgd import PGD
from evaluation import patch_table


def test_the_figures_fit_together(labelled_folder, tiny_classifier, monkeypatch):
    monkeypatch.setattr(patch_table, "SHARES", (0.02, 0.1))
    monkeypatch.setattr(patch_table, "LAMBDAS", (0.0, 2.3))
    monkeypatch.setattr(patch_table, "LaVAN", lambda share: LaVAN(share=share, iterations=5))
    monkeypatch.setattr(patch_table, "PGD", lambda eps: PGD(eps=eps, iterations=2))
    figures = patch_table.measure(tiny_classifier, labelled_folder, size=64, limit=4, seed=0)
    attacks = {row["attack"]: row for row in figures["attacks"]}
    assert list(attacks) == ["LaVAN 2 %", "LaVAN 10 %", "PGD 2/255"]
    assert attacks["PGD 2/255"]["to target"] is None
    for row in figures["defenses"]:
        assert 0 < row["ssim"] <= 1
        if row["lam"] == 0:  # smooths nothing
            assert (row["clean"], row["clean, nDCG"], row["ssim"]) == (100, 1, 1)
            for name in ("LaVAN 2 %", "LaVAN 10 %"):
                assert row[name] == attacks[name]["top-1"]
                assert row[f"{name}, nDCG"] == attacks[name]["nDCG"]
    text = patch_table.tables(figures)
    assert text.count("| LGS |") == text.count("| SLGS |") == 2
