"""A run's folder holds whole files only, refuses other settings, and survives a full disk."""

from __future__ import annotations

import errno
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluation.many_photos import run_folder
from evaluation.many_photos.run_folder import PARTS, ROWS, SCHEMA, SETTINGS, Run, difference

SAME = {"seed": 0, "attacks": {"fgsm": {"eps": 0.1}, "pgd": {"eps": 0.2}}}


def rows(*numbers):
    return pa.Table.from_pylist([{"number": number, "psnr": float("inf")} for number in numbers], SCHEMA)


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    run.begin(SAME, {"source": "here"})
    return run


def names(run):
    return sorted(path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file())


def test_parts_become_one_file_in_their_order(run, monkeypatch):
    monkeypatch.setattr(run_folder, "_ROWS_AT_ONCE", 3)
    for block in (2, 0, 1):
        run.add(block, rows(2 * block, 2 * block + 1))
    assert run.done() == {0, 1, 2}
    assert not run.merged
    run.merge(3)
    assert run.merged
    assert [table["number"].to_pylist() for table in run.rows(["number"])] == [[0, 1, 2, 3], [4, 5]]
    assert pq.read_schema(run.folder / ROWS).equals(SCHEMA)
    run.tidy()
    assert names(run) == [ROWS, SETTINGS]


def test_the_same_settings_go_on(run):
    before = (run.folder / SETTINGS).read_text()
    Run(run.folder).begin(SAME, {"source": "elsewhere"})
    assert (run.folder / SETTINGS).read_text() == before
    assert json.loads(before)["source"] == "here"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({**SAME, "seed": 1}, "with seed 0, not 1:"),
        ({**SAME, "attacks": {**SAME["attacks"], "pgd": {"eps": 0.3}}}, "with attacks.pgd.eps 0.2, not 0.3:"),
        ({**SAME, "attacks": {"fgsm": {"eps": 0.1}}}, "with pgd among its attacks:"),
        ({**SAME, "attacks": {**SAME["attacks"], "lavan": {}}}, "with no lavan among its attacks:"),
        ({**SAME, "attacks": dict(reversed(SAME["attacks"].items()))}, "with its attacks in another order:"),
        ({**SAME, "limit": 3}, "with no limit among its settings:"),
    ],
)
def test_other_settings_are_refused(run, settings, words):
    before = names(run)
    with pytest.raises(ValueError, match=words):
        run.begin(settings, {})
    assert names(run) == before


def test_the_same_settings_do_not_differ():
    assert difference(SAME, json.loads(json.dumps(SAME))) == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"settings": []}', "\udcff"])
def test_another_file_of_that_name_is_refused(tmp_path, text):
    (tmp_path / SETTINGS).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match="choose another --out"):
        Run(tmp_path).begin(SAME, {})
    assert [path.name for path in tmp_path.iterdir()] == [SETTINGS]


def test_rows_without_settings_are_refused(run):
    run.add(0, rows(1))
    (run.folder / SETTINGS).unlink()
    with pytest.raises(ValueError, match=r"has rows but no run\.json"):
        run.begin(SAME, {})


@pytest.mark.parametrize("what", ["part", "merged"])
def test_a_full_disk_corrupts_nothing(run, monkeypatch, what):
    run.add(0, rows(1))
    before = names(run)

    def full(_number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            run.add(1, rows(2)) if what == "part" else run.merge(1)
    assert str(caught.value.filename).startswith(str(run.folder))
    assert names(run) == before
    run.add(1, rows(2))
    run.merge(2)
    assert [table["number"].to_pylist() for table in run.rows(["number"])] == [[1, 2]]


def test_a_disk_that_fills_while_writing(run, monkeypatch):
    run.add(0, rows(1))

    class Full:
        def __init__(self, file):
            self._file = file

        def __getattr__(self, name):
            return getattr(self._file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._file.close()

        def write(self, _data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    opened = type(run.folder).open
    with monkeypatch.context() as patched:
        patched.setattr(
            type(run.folder), "open", lambda path, *rest, **more: Full(opened(path, *rest, **more))
        )
        with pytest.raises(OSError, match="No space left"):
            run.merge(1)
    assert names(run) == [f"{PARTS}/000000.parquet", SETTINGS]


def test_a_damaged_part_is_named(run):
    run.add(0, rows(1))
    path = run.folder / PARTS / "000000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"000000\.parquet is damaged: delete it"):
        run.merge(1)
    assert not run.merged
