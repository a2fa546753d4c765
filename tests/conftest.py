"""What tests of several folders need."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

import classifiers
from classifiers.base import Classifier
from classifiers.network import ResidualNet
from photos import Source, open_source, read_photo

# One browser for all folders: playwright refuses a second one in a process.
from tests.in_browser import browser, open_page, profile, streamlit_app  # noqa: F401 - fixtures

# Small tensors, and several test processes on the same cores: more threads would only wait for each other.
# The variable too, for without it the first device that is picked gives torch all cores; what a test starts
# inherits it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: one that begins last keeps a single worker busy while the others have nothing."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


# The photos of the tests are ours, whatever folder the environment names.
os.environ.pop("UNFOOL_GALLERY", None)


@pytest.fixture
def tiny_classifier() -> Classifier:
    """A classifier of five labels with random weights, the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ResidualNet(labels=5, widths=(8, 12, 16, 24), depths=(1, 1, 1, 1))
    # Without it the predicted logit is positive, and so is some of its class activation map.
    torch.nn.init.zeros_(network.head.bias)
    return Classifier(
        "tiny",
        network,
        ("apple", "bear", "car", "dog", "egg"),
        identity="tiny-0",
        mean=(0.5, 0.45, 0.4),
        std=(0.2, 0.25, 0.3),
        working_size=48,
        stage=network.features,
        head=network.head,
    )


@pytest.fixture
def photos() -> torch.Tensor:
    """Three smooth photos, (3, 3, 44, 53), each with a noisy square like a patch, the last's in a corner."""
    generator = torch.Generator().manual_seed(0)
    down, across = torch.linspace(0, 1, 44)[:, None], torch.linspace(0, 1, 53)
    colours = torch.rand(3, 3, 2, 1, 1, generator=generator)
    smooth = 0.2 + 0.3 * (colours[:, :, 0] * down + colours[:, :, 1] * across)
    for photo, (top, left) in zip(smooth, [(4, 30), (20, 8), (30, 39)], strict=True):
        photo[:, top : top + 14, left : left + 14] = torch.rand(3, 14, 14, generator=generator)
    return smooth


@pytest.fixture
def labelled_folder(tmp_path, tiny_classifier) -> Path:
    """Twelve photos of blobs, 64 px, in ``folder/<label>/<number>.jpg``."""
    generator = torch.Generator().manual_seed(0)
    for number in range(12):
        coarse = torch.randint(0, 256, (5, 5, 3), generator=generator).byte().numpy()
        file = tmp_path / f"{number}.jpg"
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(file)
        label = tiny_classifier.labels[
            int(tiny_classifier(read_photo(file.read_bytes(), file.name).working(64)).argmax())
        ]
        (tmp_path / label).mkdir(exist_ok=True)
        file.rename(tmp_path / label / file.name)
    return tmp_path


@pytest.fixture
def labelled_source(labelled_folder) -> Source:
    """The photos of ``labelled_folder``."""
    return open_source(str(labelled_folder))


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
