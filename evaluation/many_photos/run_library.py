"""The runs that lie side by side in a folder: listed, taken in, begun from a zip of photos, gone on with."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from classifiers.base import Classifier
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Manners, Selection, asked, begin, evaluate, label_numbers
from evaluation.many_photos.rows import check_columns
from evaluation.many_photos.run_folder import ROWS, SETTINGS, Run
from photos import PhotoError, Source, open_source
from story.export import report_json

PHOTOS = "photos.zip"
"""The photos of a run that was begun from a zip, inside its folder."""
MOST_PHOTOS = 200
"""Of a zip that is run in the app; more of them are for the command line."""
_LARGEST = {SETTINGS: 5_000_000, ROWS: 600_000_000, PHOTOS: 600_000_000}
"""Bytes of each file of a run that is taken in."""
_PASSING = ".coming-"
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "photos": int,
    "list_sha256": str,
    "limit": (int, type(None)),
    "seed": int,
    "batch": int,
    "size": int,
    "classifier": str,
    "attacks": dict,
    "defenses": dict,
    "target": (str, type(None)),
    "target_seed": int,
}


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done, total: photos.
        finished: whether all rows are in one file.
    """

    done: int
    total: int
    finished: bool


def names(folder: Path) -> list[str]:
    """The runs in ``folder``, the youngest first."""
    runs = [
        (file.stat().st_mtime_ns, file.parent.name)
        for file in folder.glob(f"*/{SETTINGS}")
        if not file.parent.name.startswith(".")
    ]
    return [name for _, name in sorted(runs, reverse=True)]


def facts_of(run: Run) -> dict[str, Any]:
    """What ``run.json`` holds, checked as far as it is used.

    Raises:
        ValueError: it is not that of a run.
        OSError: it cannot be read.
    """
    try:
        facts = json.loads((run.folder / SETTINGS).read_text(encoding="utf-8"))
        settings = facts["settings"]
        good = all(isinstance(settings[name], kind) for name, kind in _TYPES.items())
        methods = [*settings["attacks"].values(), *settings["defenses"].values()]
        good = good and all(
            isinstance(facts["name"], str) and isinstance(facts["parameters"], dict) for facts in methods
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise ValueError(f"{SETTINGS} is not that of a run")
    return facts


def progress(run: Run) -> Progress:
    """How far the run is.

    Raises:
        ValueError, OSError: as ``facts_of``.
    """
    settings = facts_of(run)["settings"]
    total = min(settings["photos"], settings["limit"] or settings["photos"])
    if run.merged:
        return Progress(total, total, finished=True)
    return Progress(min(total, len(run.done()) * settings["batch"]), total, finished=False)


def photos_of(run: Run) -> Source:
    """The photos of a run: those in its folder, else where it was started with.

    Raises:
        PhotoError: they are not there, or they are other ones.
        ValueError, OSError: as ``facts_of``.
    """
    facts = facts_of(run)
    own = run.folder / PHOTOS
    if not own.exists() and not isinstance(facts.get("source"), str):
        raise PhotoError("this run came without its photos")
    source = open_source(str(own) if own.exists() else facts["source"], download=False)
    if source.digest != facts["settings"]["list_sha256"]:
        raise PhotoError(f"the photos in {source.name} are not those of this run any more")
    return source


def take_in(folder: Path, file: IO[bytes], name: str) -> str:
    """Adds a run that was packed as a zip of ``run.json`` and ``photos.parquet`` to those in ``folder``.

    A ``photos.zip`` among them comes along. A place on this machine that ``run.json`` names is forgotten:
    whoever packed the zip could name any.

    Returns:
        The run's name.

    Raises:
        ValueError: it is no such zip.
        OSError: it cannot be kept.
    """
    with _coming(folder) as passing:
        try:
            with zipfile.ZipFile(file) as archive:
                _unpack(archive, passing, name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
            raise ValueError(f"{name} is no zip file, or it is damaged or locked") from None
        run = Run(passing)
        facts = facts_of(run)
        try:
            with pq.ParquetFile(passing / ROWS) as rows:
                check_columns(rows.schema_arrow)
                if not rows.metadata.num_rows:
                    raise ValueError(f"{ROWS} has no rows")
        except (pa.ArrowException, OSError):
            raise ValueError(f"{ROWS} is damaged or no Parquet file") from None
        facts.pop("source", None)
        run.write(SETTINGS, report_json(facts).encode())
        run.tidy()
        return _settled(passing, folder, name)


def begin_with(
    folder: Path, file: IO[bytes], name: str, classifier: Classifier, plan: Plan, selection: Selection
) -> str:
    """Begins a run of a zip of photos, which is kept beside its rows; ``go_on`` computes them.

    Returns:
        The run's name.

    Raises:
        ValueError: no such zip, over ``MOST_PHOTOS`` photos, or none whose label the classifier has.
        OSError: it cannot be kept.
    """
    with _coming(folder) as passing:
        with (passing / PHOTOS).open("wb") as kept:
            shutil.copyfileobj(file, kept)
        try:
            source = replace(open_source(str(passing / PHOTOS)), name=name)
        except PhotoError as error:
            raise PhotoError(str(error).replace(str(passing / PHOTOS), name)) from None
        if len(source) > MOST_PHOTOS:
            raise ValueError(f"{name} has {len(source)} photos; at most {MOST_PHOTOS} are run here")
        label_numbers(source, classifier)
        begin(Run(passing), source, classifier, plan, selection)
        Run(passing).tidy()
        return _settled(passing, folder, name)


def go_on(run: Run, classifier: Classifier, manners: Manners) -> None:
    """Computes what is missing of a run, by its own settings.

    Raises:
        ValueError: its settings ask for something that is not here, or for another classifier or device.
        OSError, torch.OutOfMemoryError: as ``many.evaluate``.
    """
    plan, selection = asked(facts_of(run)["settings"], classifier)
    evaluate(run, photos_of(run), classifier, plan, selection, manners=manners)


def remove(folder: Path, name: str) -> None:
    """Deletes the run of that name, with its photos where they lie in it.

    Raises:
        OSError: it cannot be deleted.
    """
    if name in names(folder):
        shutil.rmtree(folder / name)


def _unpack(archive: zipfile.ZipFile, folder: Path, name: str) -> None:
    entries = {PurePosixPath(entry.filename).name: entry for entry in archive.infolist()}
    for file, most in _LARGEST.items():
        if file not in entries:
            if file == PHOTOS:
                continue
            raise ValueError(f"{name} holds no {file}, so it is not a run")
        with archive.open(entries[file]) as packed, (folder / file).open("wb") as kept:
            shutil.copyfileobj(_Cut(packed, most), kept)
            if kept.tell() > most:
                raise ValueError(f"{file} in {name} has over {most / 1e6:.0f} MB")


class _Cut:
    """A file that ends after one more than ``most`` bytes, whatever its header says."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._left = file, most + 1

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


@contextmanager
def _coming(folder: Path) -> Iterator[Path]:
    """A folder that is no run until ``_settled`` names it, and goes where it never is."""
    passing = folder / f"{_PASSING}{secrets.token_hex(4)}"
    passing.mkdir(parents=True)
    try:
        yield passing
    finally:
        shutil.rmtree(passing, ignore_errors=True)


def _settled(passing: Path, folder: Path, name: str) -> str:
    """Gives a folder its name, after the file that it came from."""
    words = re.sub(r"[^\w-]+", "-", PurePosixPath(name.replace("\\", "/")).stem).strip("-")[:60] or "run"
    tries = [words, *(f"{words}-{number}" for number in range(2, 1000))]
    free = next(text for text in tries if not (folder / text).exists())
    passing.rename(folder / free)
    return free
