import hashlib
import socket
from importlib.resources import files

import numpy as np
import pytest
import skimage.data

from photos import PhotoError, gallery, gallery_entry, gallery_photo
from photos.gallery import ENTRIES

NAMES = [entry.name for entry in ENTRIES]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the gallery asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", NAMES)
def test_every_photo_is_in_the_installed_package(name):
    gallery_photo.cache_clear()
    photo = gallery_photo(name)
    entry = gallery_entry(name)
    assert photo.name == name
    assert photo.digest == hashlib.sha256((files("skimage.data") / entry.file).read_bytes()).hexdigest()
    assert entry.title
    assert entry.credit
    assert photo.working(192).shape == (1, 3, 192, 192)


def test_pixels_are_scikit_images_own():
    assert np.array_equal(gallery_photo("chelsea").pixels, skimage.data.chelsea())
    assert np.array_equal(gallery_photo("coffee").pixels, skimage.data.coffee())
    assert np.array_equal(gallery_photo("astronaut").pixels, skimage.data.astronaut())


def test_the_gallery_offers_the_labelled_ones():
    assert set(gallery()) <= set(NAMES)
    assert all(gallery_entry(name).label for name in gallery())
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.xfail(strict=True, reason="the built-in classifiers are right on three")
def test_the_gallery_has_four_photos():
    assert len(gallery()) >= 4


def test_unknown_photos_are_named_with_the_known_ones():
    with pytest.raises(PhotoError, match=r"chelsea, stereo_motorcycle, coffee.*'lena' is not there"):
        gallery_photo("lena")


def test_a_missing_file_is_one_sentence(monkeypatch, tmp_path):
    gallery_photo.cache_clear()
    monkeypatch.setitem(gallery_photo.__wrapped__.__globals__, "files", lambda _: tmp_path)
    with pytest.raises(PhotoError, match=r"scikit-image does not contain coffee\.png"):
        gallery_photo("coffee")
