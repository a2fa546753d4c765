"""Photos in folders, zips and torchvision's sets become one list, in one order, with their labels."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets
from torchvision.models import ResNet18_Weights

from photos import PhotoError, open_source
from photos.known_sets import KNOWN_SETS
from photos.read import MAX_BYTES
from photos.source import imagenet_labels

FILES = ("cat/b.JPEG", "cat/a.png", "dog/c.jpg")


def write(folder, files=FILES, shade=0):
    for number, file in enumerate(files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((8, 9, 3), shade + 40 * number, np.uint8)
        Image.fromarray(pixels).save(folder / file)
    return folder


def zipped(folder, archive, top=""):
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, f"{top}{path.relative_to(folder).as_posix()}")
    return archive


def listed(source):
    return [(file, source.label(number)) for number, file in enumerate(source.files)]


BY_LABEL = [("cat/a.png", "cat"), ("cat/b.JPEG", "cat"), ("dog/c.jpg", "dog")]


def test_a_folder_by_label(tmp_path):
    write(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("no photo")
    (tmp_path / "cat" / ".hidden.jpg").write_text("no photo")
    source = open_source(str(tmp_path))
    assert listed(source) == BY_LABEL
    assert len(source) == 3
    assert source.classes == (("cat",), ("dog",))
    assert source.read(0).pixels[0, 0, 0] == 40
    assert source.read(0).name == "a.png"


@pytest.mark.parametrize("top", ["", "photos/"])
def test_a_zip_of_it_is_the_same_list(tmp_path, top):
    folder = write(tmp_path / "in")
    source = open_source(str(zipped(folder, tmp_path / "a.zip", top)))
    assert listed(source) == BY_LABEL
    assert source.digest == open_source(str(folder)).digest
    assert source.read(2).digest == open_source(str(folder)).read(2).digest


def test_a_label_that_begins_like_another_stands_behind_it_in_folder_and_zip(tmp_path):
    """A blank sorts in front of the slash, so that whole paths would come in another order than labels."""
    folder = write(tmp_path / "in", ("cat nap/a.png", "cat/b.png", "cat-flap/c.png"))
    expected = [("cat/b.png", "cat"), ("cat nap/a.png", "cat nap"), ("cat-flap/c.png", "cat-flap")]
    assert listed(open_source(str(folder))) == expected
    assert listed(open_source(str(zipped(folder, tmp_path / "a.zip")))) == expected


@pytest.mark.parametrize("packed", [False, True])
def test_a_flat_folder_with_a_table(tmp_path, packed):
    folder = write(tmp_path / "in", ("2.jpg", "1.jpg"))
    (folder / "labels.csv").write_text("label,file,more\nbig cat,2.jpg,x\ndog,1.jpg,y\ndog,gone.jpg,\n")
    source = open_source(str(zipped(folder, tmp_path / "a.zip", "in/") if packed else folder))
    assert listed(source) == [("2.jpg", "big cat"), ("1.jpg", "dog"), ("gone.jpg", "dog")]
    assert source.read(1).width == 9
    with pytest.raises((PhotoError, OSError)):
        source.read(2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,label\n1.jpg,cat\n", "needs the columns file and label"),
        ("file,label\n", "lists no photo"),
        ("file,label\n1.jpg,cat\n1.jpg,dog\n", "names 1.jpg more than once"),
        ("file,label\n1.jpg\n", "without a file or without a label"),
        ("file,label\n../1.jpg,cat\n", "lies outside"),
        ("file,label\n/etc/1.jpg,cat\n", "lies outside"),
    ],
)
def test_a_bad_table_is_one_sentence(tmp_path, text, words):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(PhotoError, match=words):
        open_source(str(tmp_path))


def test_what_holds_nothing_is_refused(tmp_path):
    with pytest.raises(PhotoError, match="holds no photos"):
        open_source(str(tmp_path))
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(PhotoError, match="no zip file"):
        open_source(str(tmp_path / "a.zip"))
    with pytest.raises(
        PhotoError, match=r"nor a data set of that name \(imagenette, imagenet, cifar10, svhn"
    ):
        open_source(str(tmp_path / "nothing"))
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("file,label\n1.jpg,cat\n")
    with pytest.raises(PhotoError, match="2 CSV files"):
        open_source(str(tmp_path))


def test_a_damaged_or_huge_file_is_that_photos_own_affair(tmp_path):
    folder = write(tmp_path / "in")
    (folder / "cat" / "a.png").write_bytes(b"\0" * (MAX_BYTES + 5))
    archive = zipped(folder, tmp_path / "a.zip")
    data = archive.read_bytes()
    inside = data.index(b"dog/c.jpg") + 60
    archive.write_bytes(data[:inside] + b"damaged" + data[inside + 7 :])
    source = open_source(str(archive))
    with pytest.raises(PhotoError, match="MB"):
        source.read(0)
    assert source.read(1).width == 9
    with pytest.raises(PhotoError, match="damaged in the zip"):
        source.read(2)


def test_the_digest_is_that_of_names_and_labels(tmp_path):
    first, same = write(tmp_path / "1"), write(tmp_path / "2", shade=9)
    other = write(tmp_path / "3", (*FILES, "dog/d.jpg"))
    assert open_source(str(first)).digest == open_source(str(same)).digest
    assert open_source(str(first)).digest != open_source(str(other)).digest


def test_a_thousand_wordnet_folders_are_in_imagenets_order(tmp_path):
    rows = "".join(f"{number}.jpg,n{number:08d}\n" for number in range(1000))
    (tmp_path / "labels.csv").write_text(f"file,label\n{rows}")
    assert open_source(str(tmp_path)).numbered


BY_ID = [("n02012849_crane.jpg", "n02012849"), ("n03126707_17.jpg", "n03126707")]


@pytest.mark.parametrize("top", [None, "", "photos/"])
def test_a_flat_folder_of_photos_named_after_imagenets_ids(tmp_path, top):
    strays = () if top else ("n123_short.jpg", "other.jpg")
    folder = write(tmp_path / "in", (*(file for file, _ in BY_ID), *strays))
    (folder / "SOURCES.md").write_text("no photo")
    source = open_source(str(folder if top is None else zipped(folder, tmp_path / "a.zip", top)))
    assert listed(source) == BY_ID
    # The file's own word would be that of the other crane.
    assert source.classes == (("n02012849", "crane bird"), ("n03126707", "crane"))
    assert not source.numbered


def test_folders_by_id_know_what_imagenets_classifiers_call_them(tmp_path):
    source = open_source(str(write(tmp_path, ("n01440764/a.jpg", "n99999999/b.jpg"))))
    assert source.classes == (("n01440764", "tench"), ("n99999999",))
    assert listed(source) == [("n01440764/a.jpg", "n01440764"), ("n99999999/b.jpg", "n99999999")]


def test_imagenets_labels_are_torchvisions_in_the_order_of_their_ids():
    labels = imagenet_labels()
    assert list(labels) == sorted(labels)
    assert list(labels.values()) == ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    assert (labels["n02123045"], labels["n03445777"], labels["n15075141"]) == (
        "tabby",
        "golf ball",
        "toilet tissue",
    )


class Fake:
    """What torchvision's sets have in common, as far as they are asked."""

    def __init__(self, root, **options):
        Fake.asked = (root, options)
        self.pictures = [Image.fromarray(np.full((4, 5), 50 * n, np.uint8)) for n in range(3)]

    def __getitem__(self, number):
        return self.pictures[number], self.numbers[number]

    numbers = (1, 0, 1)


class Imagenette(Fake):
    classes = [("tench", "Tinca tinca"), ("chain saw", "chainsaw")]  # noqa: RUF012
    _samples = [("a.JPEG", 1), ("b.JPEG", 0), ("c.JPEG", 1)]  # noqa: RUF012


class ImageNet(Fake):
    classes = [("crane",), ("maillot", "tank suit")]  # noqa: RUF012
    targets = [1, 0, 1]  # noqa: RUF012


class CIFAR10(Fake):
    classes = ["airplane", "automobile"]  # noqa: RUF012
    targets = [1, 0, 1]  # noqa: RUF012


class SVHN(Fake):
    labels = np.array([1, 0, 1])


@pytest.mark.parametrize(
    ("cls", "word", "options"),
    [
        (Imagenette, "chain saw", {"split": "val", "size": "320px", "download": True}),
        (ImageNet, "maillot", {"split": "val"}),
        (CIFAR10, "automobile", {"train": False, "download": True}),
        (SVHN, "1", {"split": "test", "download": True}),
    ],
)
def test_torchvisions_sets_go_through_their_own_loader(tmp_path, monkeypatch, cls, word, options):
    name = cls.__name__
    monkeypatch.setattr(datasets, name, cls)
    source = open_source(name, tmp_path)
    assert Fake.asked == (tmp_path, options)
    assert len(source) == 3
    assert source.files[2] == f"{name.lower()}/000002"
    assert [source.label(number) for number in (0, 2)] == [word, word]
    assert list(source.labels) == [1, 0, 1]
    assert source.numbered == (cls is ImageNet)
    photo = source.read(1)
    assert photo.pixels.shape == (4, 5, 3)
    assert int(photo.pixels[0, 0, 2]) == 50
    assert len(photo.digest) == 64


def test_the_known_sets_are_torchvisions():
    for entry in KNOWN_SETS.values():
        assert hasattr(datasets, entry.title)


def test_a_set_that_is_not_there_is_one_sentence(tmp_path):
    for name in KNOWN_SETS:
        with pytest.raises(PhotoError, match="cannot be opened"):
            open_source(name, tmp_path / "none", download=False)


def test_a_photo_its_loader_cannot_decode(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CIFAR10", CIFAR10)
    source = open_source("cifar10", tmp_path)
    with pytest.raises(PhotoError, match="cifar10/000007 cannot be decoded"):
        source.read(7)
