"""The command that measures Pixel Deflection runs on a folder and its figures fit together."""

import pytest
import torch
from PIL import Image

from evaluation import deflection_curves
from evaluation.deflection import COMBINATIONS
from photos.folder import open_photo


@pytest.fixture
def folder(tmp_path, tiny_classifier):
    generator = torch.Generator().manual_seed(0)
    for number in range(12):
        coarse = torch.randint(0, 256, (5, 5, 3), generator=generator).byte().numpy()
        file = tmp_path / f"{number}.jpg"
        Image.fromarray(coarse).resize((60, 60), Image.Resampling.BICUBIC).save(file)
        label = tiny_classifier.labels[int(tiny_classifier(open_photo(file).working(64)).argmax())]
        (tmp_path / label).mkdir(exist_ok=True)
        file.rename(tmp_path / label / file.name)
    return tmp_path


def test_the_figures_fit_together(folder, tiny_classifier, monkeypatch):
    monkeypatch.setattr(deflection_curves, "DEFLECTIONS", (0, 200))
    monkeypatch.setattr(deflection_curves, "WINDOWS", (5, 10))
    figures = deflection_curves.measure(tiny_classifier, folder, size=64, limit=6, seed=0)
    assert figures["photos"] <= 6
    rows = figures["rows"]
    assert len(rows) == 3 * len(COMBINATIONS)
    untouched = next(row for row in rows if row["deflections"] == 0 and row["parts"] == "PD")
    assert untouched["clean"] == 100
    assert untouched["attacked"] == figures["top-1 attacked"]
    assert figures["failures"]["photos not restored"] <= figures["photos"]
