"""Runs side by side: taken in only where they are runs, begun from a zip, gone on with by what they say."""

from __future__ import annotations

import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attacks import ATTACKS, Cancelled
from defenses import LGS, SLGS
from evaluation.many_photos import run_library
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Manners, Selection, asked, settings
from evaluation.many_photos.run_folder import PARTS, ROWS, SCHEMA, SETTINGS, Run
from photos import PhotoError, open_source

PLAN = Plan(
    {"pgd": ATTACKS["pgd"](eps=8 / 255, iterations=2), "lavan": ATTACKS["lavan"](iterations=2)},
    {"lgs": LGS(), "strong": SLGS(lam=3.5)},
    target=1,
    seed=3,
)
SELECTION = Selection(limit=None, seed=0, batch=5, size=64)


def zipped(folder):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for photo in sorted(folder.glob("*/*.jpg")):
            archive.write(photo, photo.relative_to(folder))
    file.seek(0)
    return file


def packed(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    file.seek(0)
    return file


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "all runs"


@pytest.fixture
def begun(folder, labelled_folder, tiny_classifier):
    name = run_library.begin_with(
        folder, zipped(labelled_folder), "my photos.zip", tiny_classifier, PLAN, SELECTION
    )
    return Run(folder / name)


@pytest.fixture
def finished(begun, tiny_classifier):
    run_library.go_on(begun, tiny_classifier, Manners())
    return begun


def left_over(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_zip_of_photos_becomes_a_run(begun, folder, tiny_classifier):
    assert begun.folder.name == "my-photos"
    assert run_library.names(folder) == ["my-photos"]
    assert run_library.progress(begun) == run_library.Progress(0, 12, finished=False)
    assert json.loads((begun.folder / SETTINGS).read_text())["source"] == "my photos.zip"
    assert left_over(folder) == []
    assert not (begun.folder / PARTS).exists()
    run_library.go_on(begun, tiny_classifier, Manners())
    assert run_library.progress(begun) == run_library.Progress(12, 12, finished=True)
    table = pq.read_table(begun.folder / ROWS)
    assert len(table) == 12 * 9
    assert set(table["defense"].to_pylist()) == {"none", "lgs", "strong"}
    assert set(table["target"].drop_null().to_pylist()) == {tiny_classifier.labels[1]}


def test_settings_ask_for_what_they_were_made_of(labelled_folder, tiny_classifier):
    source = open_source(str(labelled_folder))
    told = json.loads(json.dumps(settings(source, tiny_classifier, PLAN, SELECTION)))
    plan, selection = asked(told, tiny_classifier)
    assert selection == SELECTION
    assert (dict(plan.attacks), dict(plan.defenses)) == (dict(PLAN.attacks), dict(PLAN.defenses))
    assert (plan.target, plan.seed) == (1, 3)
    told["defenses"]["lgs"]["name"] = "prayer"
    with pytest.raises(ValueError, match="there is no method prayer here"):
        asked(told, tiny_classifier)
    told["defenses"]["lgs"] = {"name": "lgs", "parameters": {"strength": 1}}
    with pytest.raises(ValueError, match="lgs has no parameter strength here"):
        asked(told, tiny_classifier)


def test_a_run_that_was_stopped_inside_an_attack_goes_on(begun, tiny_classifier):
    seen = []

    def stop():
        seen.append(1)
        if len(seen) == 6:
            raise Cancelled

    turns = []

    class Turn:
        def __enter__(self):
            turns.append("in")

        def __exit__(self, *_):
            turns.append("out")

    with pytest.raises(Cancelled):
        run_library.go_on(begun, tiny_classifier, Manners(Turn, stop))
    assert turns == ["in", "out"] * 2
    assert run_library.progress(begun) == run_library.Progress(5, 12, finished=False)
    run_library.go_on(begun, tiny_classifier, Manners())
    numbers = pq.read_table(begun.folder / ROWS)["number"].to_pylist()
    assert numbers == [number for number in range(12) for _ in range(9)]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "a.zip holds no photos of the form label/name.jpg or n01234567_name.jpg, nor a CSV file"),
        ({"zebra/1.jpg": b""}, "tiny has none of the labels of a.zip (zebra, …)"),
        (
            {f"apple/{number}.jpg": b"" for number in range(201)},
            "a.zip has 201 photos; at most 200 are run here",
        ),
    ],
)
def test_photos_that_cannot_be_run_leave_nothing_behind(folder, tiny_classifier, files, words):
    with pytest.raises(ValueError) as raised:
        run_library.begin_with(folder, packed(files), "a.zip", tiny_classifier, PLAN, SELECTION)
    assert str(raised.value) == words
    assert list(folder.iterdir()) == []


def test_no_zip(folder, tiny_classifier):
    with pytest.raises(PhotoError, match=r"^a\.zip is no zip file, or it is damaged$"):
        run_library.begin_with(folder, io.BytesIO(b"PK no"), "a.zip", tiny_classifier, PLAN, SELECTION)
    with pytest.raises(ValueError, match=r"^a\.zip is no zip file, or it is damaged or locked$"):
        run_library.take_in(folder, io.BytesIO(b"PK no"), "a.zip")
    assert list(folder.iterdir()) == []


def files_of(run):
    return {name: (run.folder / name).read_bytes() for name in (SETTINGS, ROWS)}


def test_a_packed_run_is_taken_in_beside_the_others(finished, folder):
    name = run_library.take_in(
        folder, packed({f"run/{k}": v for k, v in files_of(finished).items()}), "my-photos.zip"
    )
    assert name == "my-photos-2"
    taken = Run(folder / name)
    assert (taken.folder / ROWS).read_bytes() == (finished.folder / ROWS).read_bytes()
    assert taken.settings() == finished.settings()
    assert run_library.progress(taken).finished
    assert set(run_library.names(folder)) == {"my-photos", "my-photos-2"}
    with pytest.raises(PhotoError, match="this run came without its photos"):
        run_library.photos_of(taken)
    run_library.remove(folder, name)
    assert run_library.names(folder) == ["my-photos"]


def test_photos_come_along_in_the_pack_but_a_place_on_the_machine_does_not_count(
    finished, folder, labelled_folder
):
    files = files_of(finished)
    told = json.loads(files[SETTINGS])
    told["source"] = str(labelled_folder)
    files[SETTINGS] = json.dumps(told).encode()
    with pytest.raises(PhotoError, match="without its photos"):
        run_library.photos_of(Run(folder / run_library.take_in(folder, packed(files), "x.zip")))
    files[run_library.PHOTOS] = zipped(labelled_folder).getvalue()
    taken = Run(folder / run_library.take_in(folder, packed(files), "x.zip"))
    assert len(run_library.photos_of(taken)) == 12


def without(files, name):
    return {key: data for key, data in files.items() if key != name}


def one_column_less(data):
    file = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(data)).drop(["bare"]), file)
    return file.getvalue()


def no_rows():
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([], SCHEMA), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: without(files, ROWS), "x.zip holds no photos.parquet, so it is not a run"),
        (lambda files: without(files, SETTINGS), "x.zip holds no run.json, so it is not a run"),
        (lambda files: files | {SETTINGS: b"{}"}, "run.json is not that of a run"),
        (lambda files: files | {SETTINGS: b"\xff"}, "run.json is not that of a run"),
        (lambda files: files | {SETTINGS: b"[1]"}, "run.json is not that of a run"),
        (lambda files: files | {ROWS: b"no"}, "photos.parquet is damaged or no Parquet file"),
        (lambda files: files | {ROWS: files[ROWS][:-50]}, "photos.parquet is damaged or no Parquet file"),
        (lambda files: files | {ROWS: no_rows()}, "photos.parquet has no rows"),
        (
            lambda files: files | {ROWS: one_column_less(files[ROWS])},
            "photos.parquet has no column bare, so it is not that of a run",
        ),
    ],
)
def test_what_is_no_run_is_one_sentence_and_leaves_nothing(finished, folder, change, words):
    with pytest.raises(ValueError) as raised:
        run_library.take_in(folder, packed(change(files_of(finished))), "x.zip")
    assert str(raised.value) == words
    assert run_library.names(folder) == ["my-photos"]
    assert left_over(folder) == []


def test_a_file_that_unpacks_to_too_much(finished, folder, monkeypatch):
    monkeypatch.setitem(run_library._LARGEST, SETTINGS, 100)
    with pytest.raises(ValueError, match=r"^run\.json in x\.zip has over 0 MB$"):
        run_library.take_in(folder, packed(files_of(finished)), "x.zip")


def test_names_that_lead_elsewhere_are_only_names(finished, folder):
    files = {f"../../{name}": data for name, data in files_of(finished).items()}
    name = run_library.take_in(folder, packed(files), "../..\\é <b>.zip")
    assert name == "é-b"
    assert sorted(path.name for path in (folder / name).iterdir()) == [ROWS, SETTINGS]
    run_library.remove(folder, "../all runs")
    run_library.remove(folder, "..")
    assert folder.exists()


def test_other_photos_are_not_those_of_the_run(finished, folder, labelled_folder):
    assert len(run_library.photos_of(finished)) == 12
    next(labelled_folder.glob("*/*.jpg")).unlink()
    (finished.folder / run_library.PHOTOS).write_bytes(zipped(labelled_folder).getvalue())
    with pytest.raises(PhotoError, match="are not those of this run any more"):
        run_library.photos_of(finished)
