import pytest
import torch

import classifiers
from experiments import gallery_table
from experiments.gallery_table import measure, others_of_foolbox, row
from photos import gallery, gallery_photo
from photos.gallery import ENTRIES


@pytest.fixture(scope="module")
def rows():
    return measure(classifiers.load("imagenet", device="cpu"), more=True)


def test_what_it_keeps_is_the_gallery(rows):
    ours = {line["photo"]: line for line in rows[: len(ENTRIES)]}
    assert {name for name, line in ours.items() if line["kept"]} == set(gallery())


def test_foolboxs_other_photos_are_those_that_the_gallery_does_not_have(rows):
    of_foolbox = [entry for entry in ENTRIES if entry.package == "foolbox"]
    others = list(others_of_foolbox())
    assert len(others) + len(of_foolbox) == 20
    assert [line["photo"] for line in rows[len(ENTRIES) :]] == [photo.name for photo, _ in others]
    assert ("imagenet_16_251.jpg", ("dalmatian",)) in [(photo.name, shows) for photo, shows in others]


def test_a_row_by_hand():
    class Fixed(torch.nn.Module):
        labels = ("cat", "kitten", "dog")
        device = torch.device("cpu")
        working_size, crop_share = 224, 0.875
        seen = None

        def forward(self, x):
            self.seen = x
            return torch.tensor([[0.4, 0.25, 0.35]]).log()

    photo, model = gallery_photo("chelsea"), Fixed()
    line = {"photo": "chelsea", "says": "cat"}
    assert row(photo, ("cat", "kitten"), model) == line | {
        "shows": "cat, kitten",
        "% sure": 65.0,
        "right": True,
        "kept": True,
    }
    assert torch.equal(model.seen, photo.working(224, 0.875))
    assert row(photo, ("cat",), model) == line | {
        "shows": "cat",
        "% sure": 40.0,
        "right": True,
        "kept": False,
    }
    assert row(photo, ("dog", "kitten"), model)["kept"] is False
    assert row(photo, (), model) == line | {"shows": "-", "% sure": 0.0, "right": False, "kept": False}


def test_without_foolbox_there_are_no_others(monkeypatch):
    monkeypatch.setattr(gallery_table, "package_folder", lambda _: None)
    assert list(others_of_foolbox()) == []
