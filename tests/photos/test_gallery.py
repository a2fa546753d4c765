import hashlib
import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

import classifiers
from photos import (
    PhotoError,
    few,
    gallery,
    gallery_entries,
    gallery_entry,
    gallery_photo,
    gallery_remark,
    gallery_thumbnail,
    packaged,
    readable,
)
from photos.gallery import ENTRIES, FOLDER, package_folder
from photos.source import imagenet_labels

MODULE = sys.modules["photos.gallery"]
NAMES = [entry.name for entry in ENTRIES]
LABELLED = [entry for entry in ENTRIES if entry.label is not None]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the gallery asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
def test_every_photo_is_in_the_installed_package(entry):
    MODULE._packaged_photo.cache_clear()
    photo = gallery_photo(entry.name)
    file = Path(find_spec(entry.package).submodule_search_locations[0]) / entry.file
    assert photo.name == entry.name
    assert photo.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert entry.title
    assert entry.credit
    assert photo.working(192).shape == (1, 3, 192, 192)


def test_pixels_are_scikit_images_own():
    assert np.array_equal(gallery_photo("chelsea").pixels, skimage.data.chelsea())
    assert np.array_equal(gallery_photo("coffee").pixels, skimage.data.coffee())
    assert np.array_equal(gallery_photo("astronaut").pixels, skimage.data.astronaut())


def test_the_gallery_offers_the_labelled_ones():
    assert gallery() == tuple(entry.name for entry in LABELLED)
    assert gallery_entries() == packaged() == tuple(LABELLED)
    assert len(set(NAMES)) == len(NAMES)
    assert gallery_remark() == ""


def test_at_least_fifteen_photos_of_as_many_things():
    assert len(gallery()) >= 15
    labels = [entry.label for entry in LABELLED]
    words = [word for entry in LABELLED for word in entry.imagenet]
    digests = [gallery_photo(name).digest for name in gallery()]
    for names in (labels, words, digests):
        assert len(set(names)) == len(names)


def test_the_words_for_foolboxs_photos_are_those_of_the_numbers_in_their_names():
    labels = list(imagenet_labels().values())
    numbered = [entry for entry in ENTRIES if entry.package == "foolbox"]
    assert numbered
    for entry in numbered:
        number = int(Path(entry.file).stem.rpartition("_")[2])
        assert entry.imagenet == (labels[number],)


@pytest.fixture(scope="module")
def imagenet():
    return classifiers.load("imagenet", device="cpu")


@pytest.mark.parametrize("entry", LABELLED, ids=[entry.name for entry in LABELLED])
@torch.no_grad()
def test_the_imagenet_classifier_is_right_and_sure(imagenet, entry):
    """The short side 256 px, the middle 224 px cut out, as the classifier was measured."""
    x = gallery_photo(entry.name).working(256)[..., 16:240, 16:240]
    likely = imagenet(x).softmax(1)[0]
    assert imagenet.labels[likely.argmax()] in entry.imagenet
    assert sum(likely[imagenet.labels.index(word)] for word in entry.imagenet) >= 0.5


def test_foolbox_is_never_imported():
    code = (
        "import sys; from photos import gallery, gallery_photo; "
        "print(len([gallery_photo(name) for name in gallery()]), 'foolbox' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(LABELLED)), "False"]


def test_a_missing_package_leaves_the_rest_usable(monkeypatch):
    monkeypatch.setattr(
        MODULE, "find_spec", lambda module: None if module == "foolbox" else find_spec(module)
    )
    package_folder.cache_clear()
    MODULE._packaged_photo.cache_clear()
    try:
        assert gallery() == ("chelsea", "stereo_motorcycle", "coffee")
        assert [photo.name for photo in readable(gallery())] == list(gallery())
        assert gallery_remark() == "Some photos are missing: the package foolbox is not installed."
        with pytest.raises(
            PhotoError, match="Strawberries is in the package foolbox, which is not installed"
        ):
            gallery_photo("strawberry")
    finally:
        package_folder.cache_clear()


def test_unknown_photos_are_named_with_the_known_ones():
    with pytest.raises(PhotoError, match=r"chelsea, stereo_motorcycle, coffee.*'lena' is not there"):
        gallery_photo("lena")


def test_a_missing_file_is_one_sentence(monkeypatch, tmp_path):
    MODULE._packaged_photo.cache_clear()
    monkeypatch.setattr(MODULE, "package_folder", lambda _: tmp_path)
    with pytest.raises(PhotoError, match=r"installed skimage does not contain coffee\.png"):
        gallery_photo("coffee")


def test_a_long_list_is_cut():
    assert few(["a", "b"], most=2) == "a, b"
    assert few(["a", "b", "c", "d"], most=2) == "a, b and 2 more"


@pytest.mark.parametrize("name", ["chelsea", "strawberry", "drum"])
def test_a_thumbnail_is_the_photo_made_small(name):
    """A JPEG is decoded at a part of its size, so the two are not the same to the last bit."""
    small = gallery_thumbnail(gallery_entry(name), 96).astype(float)
    whole = gallery_photo(name).working(96)[0].permute(1, 2, 0).numpy() * 255
    assert small.shape == (96, 96, 3)
    assert np.abs(small - whole).mean() < 4


# --- a folder of one's own --------------------------------------------------------------------------------


def picture(file, colour=(200, 30, 30), size=(90, 70)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    picture(tmp_path / "fish" / "nemo.png", (255, 120, 0))
    picture(tmp_path / "fish" / "dory.jpg", (0, 60, 255))
    picture(tmp_path / "alone.png", (9, 9, 9))
    picture(tmp_path / ".hidden" / "no.png")
    picture(tmp_path / "fish" / ".no.png")
    picture(tmp_path / "fish" / "deeper" / "no.png")
    (tmp_path / "fish" / "notes.txt").write_text("no photo")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


def test_a_folder_is_the_gallery(folder):
    assert gallery() == ("alone.png", "fish/dory.jpg", "fish/nemo.png")
    assert [(entry.title, entry.label) for entry in gallery_entries()] == [
        ("alone", None),
        ("dory", "fish"),
        ("nemo", "fish"),
    ]
    assert gallery_remark() == ""
    photo = gallery_photo("fish/nemo.png")
    assert photo.name == "nemo.png"
    assert photo.pixels[0, 0].tolist() == [255, 120, 0]
    assert gallery_thumbnail(gallery_entry("fish/nemo.png"), 20)[0, 0].tolist() == [255, 120, 0]


def test_ours_can_still_be_had_by_name(folder):
    assert gallery_photo("chelsea").name == "chelsea"
    assert packaged() == tuple(LABELLED)


@pytest.mark.parametrize("name", ["../secret.png", "fish/../../secret.png", "/etc/passwd", "fish", ""])
def test_nothing_outside_the_folder_has_a_name(folder, name):
    picture(folder.parent / "secret.png")
    with pytest.raises(PhotoError, match=r"alone\.png, fish/dory\.jpg, fish/nemo\.png; .* is not there"):
        gallery_photo(name)


def test_a_file_that_is_no_photo_is_a_sentence_and_the_others_stay(folder):
    (folder / "fish" / "bad.jpg").write_bytes(b"nonsense")
    (folder / "fish" / "empty.png").write_bytes(b"")
    assert len(gallery()) == 5
    for name, words in (("fish/bad.jpg", "bad.jpg is not a PNG"), ("fish/empty.png", "empty.png is empty")):
        with pytest.raises(PhotoError, match=words):
            gallery_photo(name)
        with pytest.raises(PhotoError, match=words):
            gallery_thumbnail(gallery_entry(name), 20)
    assert [photo.name for photo in readable(gallery())] == ["alone.png", "dory.jpg", "nemo.png"]


def test_a_file_that_was_changed_is_read_again(folder):
    assert gallery_photo("alone.png").pixels[0, 0].tolist() == [9, 9, 9]
    picture(folder / "alone.png", (7, 7, 7), size=(91, 70))
    assert gallery_photo("alone.png").pixels[0, 0].tolist() == [7, 7, 7]


def test_a_file_that_has_gone_is_a_sentence(folder):
    assert len(gallery()) == 3
    (folder / "alone.png").unlink()
    with pytest.raises(PhotoError, match=r"alone\.png cannot be read any more"):
        gallery_photo("alone.png")


def test_a_new_file_is_seen_after_a_while(folder, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(MODULE, "monotonic", lambda: now)
    assert len(gallery()) == 3
    picture(folder / "new.png")
    assert len(gallery()) == 3
    now += 6
    assert len(gallery()) == 4


def test_nothing_is_opened_before_it_is_asked_for(folder, monkeypatch):
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("opened a file"))
    assert len(gallery()) == len(gallery_entries()) == 3
    assert gallery_remark() == ""


@pytest.mark.parametrize(
    ("made", "words"),
    [(False, "does not exist"), (True, "holds no photos, name.jpg or label/name.jpg")],
)
def test_a_folder_without_photos_is_a_sentence_and_ours_stay(tmp_path, monkeypatch, made, words):
    folder = tmp_path / "mine"
    if made:
        folder.mkdir()
        (folder / "notes.txt").write_text("no photo")
    monkeypatch.setenv(FOLDER, str(folder))
    assert gallery() == tuple(entry.name for entry in LABELLED)
    assert gallery_remark() == (
        f"The folder {folder}, which UNFOOL_GALLERY names, {words}. You see the photos that come with Unfool."
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_a_name_that_is_no_text_becomes_one(tmp_path, monkeypatch):
    picture(tmp_path / "plain.png")
    shutil.copy(tmp_path / "plain.png", os.fsencode(tmp_path) + b"/caf\xe9.png")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert gallery() == ("caf\ufffd.png", "plain.png")
    assert gallery_photo("caf\ufffd.png").width == 90
