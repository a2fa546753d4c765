"""Photos to learn from and to measure on, and a classifier in place of the built-in one."""

import pytest
import torch
from PIL import Image

import classifiers


@pytest.fixture
def labelled_photos(tmp_path):
    """``train/`` and ``val/`` with four photos each, of two labels that the tiny classifier has."""
    generator = torch.Generator().manual_seed(0)
    for part in ("train", "val"):
        for number in range(4):
            file = tmp_path / "photos" / part / ("apple", "bear")[number % 2] / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            coarse = torch.randint(0, 256, (6, 7, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(coarse.numpy()).resize((70, 60)).save(file)
    return tmp_path / "photos"


@pytest.fixture
def as_builtin(tiny_classifier, monkeypatch):
    """What ``classifiers.load`` gives, whatever it is asked for."""
    tiny_classifier.working_size = 64
    monkeypatch.setattr(classifiers, "load", lambda name, device=None: tiny_classifier)
    return tiny_classifier
