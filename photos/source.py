"""Many photos with labels, by the name that a door gets: a folder, a zip, or one of torchvision's sets."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Protocol

from photos.known_sets import KNOWN_SETS, open_known_set
from photos.read import MAX_BYTES, Photo, PhotoError, read_photo

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_WORDNET = re.compile(r"n\d{8}")
_NAMED_BY_WORDNET = re.compile(r"(n\d{8})_")
"""A photo's name that begins with the id of its label: ``n02123045_tabby.jpg``."""
_MAX_TABLE = 100_000_000
"""Bytes of a CSV file."""


@dataclass(frozen=True, eq=False)
class Source:
    """Photos in a fixed order; a photo's number is its place in it.

    Attributes:
        name: what the door was given.
        files: name of each photo, none twice: its path inside the source.
        classes: the words for each label; any of them may be what a classifier calls it.
        labels: the place in ``classes`` of each photo's label.
        numbered: whether ``classes`` are ImageNet's 1000, in the order that its classifiers share.
        read: number -> photo; raises PhotoError or OSError. Threads may share it.
    """

    name: str
    files: Sequence[str]
    classes: tuple[tuple[str, ...], ...]
    labels: Sequence[int]
    numbered: bool
    read: Callable[[int], Photo]

    def __len__(self) -> int:
        return len(self.files)

    def label(self, number: int) -> str:
        """The first word for the label of the photo of that number."""
        return self.classes[self.labels[number]][0]

    @property
    def digest(self) -> str:
        """sha256 of all names and labels, hexadecimal: the same for the same list, wherever it lies."""
        digest = hashlib.sha256()
        for number, file in enumerate(self.files):
            digest.update(f"{file}\t{self.label(number)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def open_source(text: str, root: Path | None = None, *, download: bool = True) -> Source:
    """The photos that ``text`` names.

    Args:
        text: a folder by label (``label/name.jpg``), a folder with one CSV file whose columns are ``file``
            and ``label``, one of photos that are named after ImageNet's ids (``n02123045_tabby.jpg``), a zip
            file of any, or the name of a torchvision data set.
        root: where torchvision's sets lie, by default in torch.hub's folder.
        download: whether torchvision may fetch what is not there.

    Raises:
        PhotoError: nothing of that name, or nothing in it that could be used.
        OSError: it cannot be read.
    """
    path = Path(text)
    if path.is_dir():
        return _from_folder(path, text)
    if path.is_file():
        return _from_zip(path, text)
    if text.casefold() in KNOWN_SETS:
        opened = open_known_set(text.casefold(), root, download=download)
        names = [f"{opened.name}/{number:06d}" for number in range(len(opened.labels))]
        return Source(text, names, opened.classes, opened.labels, opened.numbered, opened.read)
    raise PhotoError(
        f"there is no folder or zip {text}, nor a data set of that name ({', '.join(KNOWN_SETS)})"
    )


class _Files(Protocol):
    """Files by their path inside a folder or a zip."""

    def read(self, name: str, most: int) -> bytes:
        """The file's bytes, cut after one more than ``most``."""


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, most: int) -> bytes:
        with (self._folder / name).open("rb") as file:
            return file.read(most + 1)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, top: str) -> None:
        self._archive, self._top = archive, top

    def read(self, name: str, most: int) -> bytes:
        try:
            with self._archive.open(f"{self._top}{name}") as file:  # a lock inside: threads may share it
                return file.read(most + 1)
        except KeyError:
            raise PhotoError(f"{name} is not in the zip") from None
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise PhotoError(f"{name} is damaged in the zip") from None
        except (RuntimeError, NotImplementedError):
            raise PhotoError(f"{name} is locked or packed in a way that cannot be read") from None


def _from_folder(folder: Path, name: str) -> Source:
    files = [file.relative_to(folder) for depth in ("*", "*/*") for file in folder.glob(depth)]
    return _listed(name, _not_hidden(PurePosixPath(file.as_posix()) for file in files), _Folder(folder))


def _from_zip(path: Path, name: str) -> Source:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise PhotoError(f"{name} is no zip file, or it is damaged") from None
    files = [PurePosixPath(entry.filename) for entry in archive.infolist() if not entry.is_dir()]
    inside = _not_hidden(files)
    top = _common_folder(inside)
    files_of_top = _Zip(archive, f"{top}/" if top.parts else "")
    return _listed(name, [file.relative_to(top) for file in inside], files_of_top)


def _is_photo(file: PurePosixPath) -> bool:
    return file.suffix.lower() in ENDINGS


def _not_hidden(files: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    return [file for file in files if not any(part.startswith((".", "__MACOSX")) for part in file.parts)]


def _listed(name: str, paths: Sequence[PurePosixPath], files: _Files) -> Source:
    """The photos of a CSV file among ``paths``, or else those by label or by id, sorted by their paths.

    Raises:
        PhotoError: several CSV files, one that cannot be used, or no photo.
    """
    tables = [file for file in paths if len(file.parts) == 1 and file.suffix.lower() == ".csv"]
    if len(tables) > 1:
        raise PhotoError(f"{name} has {len(tables)} CSV files; one of them must tell file and label")
    if tables:
        pairs = _table(files.read(str(tables[0]), _MAX_TABLE), tables[0].name)
    else:
        by_label = sorted(file for file in paths if len(file.parts) == 2 and _is_photo(file))
        pairs = [(str(file), file.parts[0]) for file in by_label]
    if not pairs:
        flat = sorted(file for file in paths if len(file.parts) == 1)
        pairs = [(str(file), label) for file in flat if (label := _wordnet_id(file))]
    if not pairs:
        raise PhotoError(
            f"{name} holds no photos of the form label/name.jpg or n01234567_name.jpg, nor a CSV file"
        )
    return _source(name, pairs, files)


def _wordnet_id(file: PurePosixPath) -> str | None:
    """The id that a photo's name begins with."""
    match = _NAMED_BY_WORDNET.match(file.name)
    return match[1] if match and _is_photo(file) else None


def _common_folder(files: Sequence[PurePosixPath]) -> PurePosixPath:
    """The one folder that a zip was made of, where that is not the one label; else nothing."""
    tops = {file.parts[0] for file in files if file.parts}
    deep = all(len(file.parts) > 2 for file in files)
    photos = [file for file in files if len(file.parts) == 2 and _is_photo(file)]
    named = bool(photos) and all(_wordnet_id(file) for file in photos)
    has_table = any(len(file.parts) == 2 and file.suffix.lower() == ".csv" for file in files)
    return PurePosixPath(tops.pop()) if len(tops) == 1 and (deep or has_table or named) else PurePosixPath()


def _table(data: bytes, name: str) -> list[tuple[str, str]]:
    """(file, label) of every row."""
    if len(data) > _MAX_TABLE:
        raise PhotoError(f"{name} has over {_MAX_TABLE / 1e6:.0f} MB; that is too long a list")
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        if not {"file", "label"} <= set(rows.fieldnames or ()):
            raise PhotoError(f"{name} needs the columns file and label in its first line")
        pairs = [((row["file"] or "").strip(), (row["label"] or "").strip()) for row in rows]
    except (UnicodeDecodeError, csv.Error):
        raise PhotoError(f"{name} is no CSV file in UTF-8") from None
    for file, label in pairs:
        if not file or not label:
            raise PhotoError(f"{name} has a row without a file or without a label")
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise PhotoError(f"{name} names {file}, which lies outside")
    if not pairs:
        raise PhotoError(f"{name} lists no photo")
    return pairs


def _source(name: str, pairs: Iterable[tuple[str, str]], inside: _Files) -> Source:
    pairs = list(pairs)
    files = [file for file, _ in pairs]
    repeated = [file for file, times in Counter(files).items() if times > 1]
    if repeated:
        raise PhotoError(f"{name} names {repeated[0]} more than once")
    words = sorted({label for _, label in pairs})
    number_of = {word: number for number, word in enumerate(words)}
    ids = all(_WORDNET.fullmatch(word) for word in words)

    def read(number: int) -> Photo:
        return read_photo(inside.read(files[number], MAX_BYTES), files[number])

    labels = [number_of[label] for _, label in pairs]
    names = imagenet_labels() if ids else {}
    classes = tuple((word, names[word]) if word in names else (word,) for word in words)
    return Source(name, files, classes, labels, ids and len(words) == 1000, read)


@cache
def imagenet_labels() -> dict[str, str]:
    """What classifiers of ImageNet call its 1000 labels, by WordNet id, in the order that they share."""
    text = Path(__file__).with_name("imagenet_labels.txt").read_text(encoding="utf-8")
    return dict(line.split(" ", 1) for line in text.splitlines())
