"""The tables that the denoisers' cards hold."""

import json

import pytest

import denoisers.weights
from denoisers import VARIANTS
from experiments.advfilter_cards import figures_of_cards, main
from tests.denoisers.tiny import write_tiny

MAPS = {"U sl": 0.9, "U m": 0.3, "W": 0.1}


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """Cards of all variants with figures that count up."""
    monkeypatch.setattr(denoisers.weights, "FOLDER", tmp_path)
    write_tiny(tmp_path)
    for number, variant in enumerate(VARIANTS):
        file = tmp_path / f"{variant}.json"
        names = ("sl", "m", "result") if variant == "pa-filt" else ("result",)
        figures = {"accuracy": [10.0 * number] * 13, "psnr": [20.0 + number] * 13, "ssim": [0.5] * 13}
        val = {"photos": 4, "strengths": list(range(13)), **dict.fromkeys(("attacked", *names), figures)}
        if variant == "pa-filt":
            val["maps"] = {name: [value] * 13 for name, value in MAPS.items()}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"val": val}))
    return tmp_path


def test_every_figure_has_its_place(cards, capsys):
    rows = figures_of_cards()["rows"]
    assert rows["filt-img"]["right"] == [0.2] * 13
    assert rows["pa-filt, m"]["psnr"] == [26.0] * 13
    assert rows["pa-filt"]["W"] == [0.1] * 13
    main([])
    text = capsys.readouterr().out
    assert text.startswith("4 photos\n\nTable 1")
    assert f"| filt-strong |{' 40.0 |' * 14}" in text
    assert f"| W |{' 0.1000 |' * 13}" in text
    assert "Table 5" not in text


def test_cards_of_other_photos_do_not_mix(cards):
    file = cards / "add-img.json"
    card = json.loads(file.read_text())
    card["val"]["photos"] = 5
    file.write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"measured on \[4, 5\] photos"):
        figures_of_cards()


def test_no_cards(tmp_path, monkeypatch):
    monkeypatch.setattr(denoisers.weights, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"measured on \[\] photos"):
        figures_of_cards()
