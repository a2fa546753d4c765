"""A small classifier and a photo, for everything that needs numbers but no meaning."""

import numpy as np
import pytest
import torch
from PIL import Image

from attacks import ATTACKS
from classifiers import Classifier
from classifiers.network import ResidualNet
from photos import read_photo
from story.render import to_png
from ui.session.scene import Attempt, Scene
from ui.session.workbench import Workbench

LABELS = ("cat", "dog", "golf ball", "cup", "<b>bold</b>", "face", "motorbike")


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    torch.manual_seed(0)
    network = ResidualNet(len(LABELS), widths=(8, 8, 8, 16), depths=(1, 1, 1, 1))
    return Classifier(
        "small",
        network,
        LABELS,
        identity="small:0",
        mean=(0.45,) * 3,
        std=(0.25,) * 3,
        working_size=64,
        stage=network.features,
        head=network.head,
        saliency="gradient",  # its class activation maps are often empty
    )


@pytest.fixture(scope="session")
def photo():
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    pixels = np.array(coarse.resize((120, 90)))
    # Busy enough for every defense to find something to smooth.
    pixels[20:70, 30:90] = rng.integers(0, 256, (50, 60, 3))
    return read_photo(to_png(pixels), "blobs.png")


@pytest.fixture
def scene(photo, classifier) -> Scene:
    return Scene(photo, 64, classifier)


@pytest.fixture
def bench() -> Workbench:
    return Workbench()


@pytest.fixture
def attempt() -> Attempt:
    return Attempt("pgd", ATTACKS["pgd"](eps=8 / 255, iterations=4), None)
