"""A run gives the same rows however often it is broken off, and however many processes share it."""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
import weakref
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from attacks import ATTACKS
from defenses import LGS, SmoothingVote
from evaluation.many_photos import evaluate as engine
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Selection, Share, evaluate, label_numbers
from evaluation.many_photos.run_folder import PARTS, ROWS, SETTINGS, SUMMARY, TABLE, Run
from photos import Photo, PhotoError, Source, open_source

PLAN = Plan({"fgsm": ATTACKS["fgsm"](eps=16 / 255), "lavan": ATTACKS["lavan"](iterations=2)}, {"lgs": LGS()})
SELECTION = Selection(limit=None, seed=0, batch=3, size=64)


@pytest.fixture
def source(labelled_folder):
    folder = labelled_folder
    some = sorted(folder.glob("*/*.jpg"))[0].parent
    (some / "a broken one.jpg").write_bytes(b"no photo")
    (folder / "zebra").mkdir()
    (folder / "zebra" / "z.jpg").write_bytes(next(folder.glob("*/*.jpg")).read_bytes())
    return open_source(str(folder))


@pytest.fixture
def whole(source, tiny_classifier, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("whole"))
    return run, evaluate(run, source, tiny_classifier, PLAN, SELECTION)


def rows(run):
    return pq.read_table(run.folder / ROWS).drop(["milliseconds"])


def timeless(summary):
    """The cells as JSON has them, without what another run takes longer or shorter for."""
    cells = (summary if isinstance(summary, dict) else summary.json)["cells"]
    return [{key: value for key, value in cell.items() if key != "milliseconds"} for cell in cells]


def same(run, whole):
    return (
        rows(run).equals(rows(whole[0]))
        and timeless(json.loads((run.folder / SUMMARY).read_text())) == timeless(whole[1])
        and not (run.folder / PARTS).exists()
    )


def test_every_photo_has_every_row(whole, source):
    run, summary = whole
    table = rows(run).to_pylist()
    cells = list(itertools.product(("none", "fgsm", "lavan"), ("none", "lgs")))
    assert [(row["number"], row["attack"], row["defense"]) for row in table] == [
        (number, *cell) for number in range(14) for cell in cells
    ]
    assert [row["file"] for row in table[:: len(cells)]] == list(source.files)
    unread = [row for row in table if row["outcome"] == "unread"]
    assert len(unread) == 2 * len(cells)
    assert {row["reason"] for row in unread} == {
        "a broken one.jpg is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture, or it is damaged",
        "the classifier has no label 'zebra'",
    }
    assert all(row["probability"] is row["predicted"] is row["cause"] is None for row in unread)
    read = [row for row in table if row["outcome"] != "unread"]
    assert all(row["reason"] is None and len(row["sha256"]) == 64 for row in read)
    clean = [row for row in read if (row["attack"], row["defense"]) == ("none", "none")]
    assert all(row["predicted"] == row["label"] == row["clean"] for row in clean)
    assert summary.photos == 14
    assert summary.unread == 2
    assert summary.cells[0].accuracy.share == 1
    assert (run.folder / TABLE).read_text().count("| fgsm | lgs |") == 2
    settings = run.settings()
    assert settings["attacks"]["fgsm"] == {"name": "fgsm", "parameters": PLAN.attacks["fgsm"].values()}
    assert settings["versions"]["torch"] == torch.__version__.split("+")[0]


def test_a_photos_rows_are_those_of_a_run_with_it_alone(whole, source, tiny_classifier, tmp_path):
    table = rows(whole[0]).to_pylist()
    one = replace(SELECTION, limit=1, seed=5)
    evaluate(Run(tmp_path), source, tiny_classifier, PLAN, one)
    alone = rows(Run(tmp_path)).to_pylist()
    again = [row for row in table if row["number"] == alone[0]["number"]]
    for row, other in zip(alone, again, strict=True):
        assert row["target"] == other["target"]
        assert row["predicted"] == other["predicted"]
        if row["ssim"] is not None:
            assert row["ssim"] == pytest.approx(other["ssim"], abs=1e-4)


@pytest.mark.parametrize("after", range(5))
def test_broken_off_and_started_again(whole, source, tiny_classifier, tmp_path, monkeypatch, after):
    run = Run(tmp_path)
    added = []

    def add(block, table):
        if len(added) == after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "there")
        added.append(block)
        Run.add(run, block, table)

    with monkeypatch.context() as patched:
        patched.setattr(run, "add", add, raising=False)
        with pytest.raises(OSError, match="No space left"):
            evaluate(run, source, tiny_classifier, PLAN, SELECTION)
    assert run.done() == set(added)
    seen = []
    evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION, progress=lambda *now: seen.append(now))
    assert seen[0] == (3 * after, 14)
    assert seen[-1] == (14, 14)
    assert same(run, whole)


@pytest.mark.parametrize("where", ["merge", "write", "tidy"])
def test_broken_off_at_the_end(whole, source, tiny_classifier, tmp_path, monkeypatch, where):
    def stop(*_):
        raise KeyboardInterrupt

    run = Run(tmp_path)
    with monkeypatch.context() as patched:
        if where == "write":
            patched.setattr(
                run,
                "write",
                lambda name, data: stop() if name == SUMMARY else Run.write(run, name, data),
                raising=False,
            )
        else:
            patched.setattr(run, where, stop, raising=False)
        with pytest.raises(KeyboardInterrupt):
            evaluate(run, source, tiny_classifier, PLAN, SELECTION)
    evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION)
    assert same(run, whole)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_ranks_give_the_rows_of_one(whole, source, tiny_classifier, tmp_path, order):
    first, last = (
        evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION, Share(rank, 2)) for rank in order
    )
    assert first is None
    assert timeless(last) == timeless(whole[1])
    assert same(Run(tmp_path), whole)
    # A rank that is started again finds everything done.
    again = evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION, Share(0, 2))
    assert timeless(again) == timeless(whole[1])


def test_a_process_alone_takes_over_from_ranks(whole, source, tiny_classifier, tmp_path):
    assert evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION, Share(2, 3)) is None
    assert evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION) is not None
    assert same(Run(tmp_path), whole)


def test_two_sum_up_at_once(whole, source, tiny_classifier, tmp_path, monkeypatch):
    run = Run(tmp_path)
    Run.merge_ = Run.merge

    def slow(self, blocks):
        with monkeypatch.context() as patched:
            patched.setattr(Run, "merge", Run.merge_)
            evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION)
        Run.merge_(self, blocks)

    monkeypatch.setattr(Run, "merge", slow)
    assert timeless(evaluate(run, source, tiny_classifier, PLAN, SELECTION)) == timeless(whole[1])
    del Run.merge_
    assert same(run, whole)


def test_a_smaller_batch_where_the_memory_is_small(whole, source, tiny_classifier, tmp_path, monkeypatch):
    counts = []

    def measure(batch, *rest):
        if len(batch.x) > 1:
            raise torch.OutOfMemoryError("too many")
        counts.append(len(batch.x))
        return measured(batch, *rest)

    measured = engine.measure
    monkeypatch.setattr(engine, "measure", measure)
    evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION)
    assert counts == [1] * 12
    for column in ("number", "attack", "defense", "predicted", "outcome", "cause", "target"):
        assert rows(Run(tmp_path))[column].equals(rows(whole[0])[column])


def test_photos_are_decoded_ahead_but_not_all(source, tiny_classifier, tmp_path, monkeypatch):
    lock, read, waiting = threading.Lock(), [], []

    def counting(number):
        with lock:
            read.append(number)
        return source.read(number)

    measured = engine.measure

    def measure(x, *rest):
        waiting.append(len(read))
        return measured(x, *rest)

    monkeypatch.setattr(engine, "measure", measure)
    evaluate(
        Run(tmp_path),
        replace(source, read=counting),
        tiny_classifier,
        Plan({}, {}),
        replace(SELECTION, batch=2),
    )
    assert len(read) == len(set(read)) == 13  # but for the zebra
    assert max(asked - 2 * done for done, asked in enumerate(waiting)) <= 6


def test_a_limit_draws_photos_and_a_larger_one_keeps_them():
    few, more = (set(itertools.chain(*Selection(n, 7, 4, 64).blocks(50))) for n in (6, 20))
    assert len(few) == 6
    assert few < more
    assert set(itertools.chain(*Selection(6, 8, 4, 64).blocks(50))) != few
    assert list(itertools.chain(*Selection(None, 7, 4, 64).blocks(50))) == list(range(50))


@pytest.mark.parametrize(
    ("environment", "share"),
    [
        ({}, Share(0, 1, 0)),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, Share(3, 8, 1)),
        ({"RANK": "2", "WORLD_SIZE": "2"}, None),
        ({"RANK": "x", "WORLD_SIZE": "2"}, None),
        ({"RANK": "-1"}, None),
    ],
)
def test_the_share_comes_from_torchrun(environment, share):
    if share:
        assert Share.of(environment) == share
    else:
        with pytest.raises(ValueError, match="RANK"):
            Share.of(environment)


def fake_source(classes, *, numbered=False):
    def read(number):
        raise PhotoError(f"{number}")

    return Source("fake", ["a"], tuple(classes), [0], numbered, read)


def test_labels_find_the_classifiers_own(tiny_classifier):
    source = fake_source([("lorry", "Car"), ("zebra",), ("egg",)])
    assert label_numbers(source, tiny_classifier) == [2, None, 4]
    five = [("crane",), ("crane",), ("a",), ("b",), ("c",)]
    assert label_numbers(fake_source(five, numbered=True), tiny_classifier) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"tiny has none of the labels of fake .lorry, …"):
        label_numbers(fake_source([("lorry",)]), tiny_classifier)


def test_a_vote_can_reject(source, tiny_classifier, tmp_path):
    plan = Plan({"noise": ATTACKS["noise"](sigma=0.5)}, {"vote": SmoothingVote(rule="plurality", rounds=1)})
    summary = evaluate(Run(tmp_path), source, tiny_classifier, plan, SELECTION)
    for row in rows(Run(tmp_path)).to_pylist():
        assert (row["outcome"] == "rejected") == (row["predicted"] is None and row["outcome"] != "unread")
    assert all(sum(cell.outcomes.values()) == 14 for cell in summary.cells)


@pytest.mark.parametrize("photos", [12, 60])
def test_no_more_photos_are_in_memory_than_a_few_blocks(tiny_classifier, tmp_path, monkeypatch, photos):
    """However many photos there are: the block in work, two ahead, and the one that is handed over."""
    alive, most = set(), []
    working = Photo.working

    def counted(self, size, crop_share):
        picture = working(self, size, crop_share)
        number = len(most)
        alive.add(number)
        weakref.finalize(picture, alive.discard, number)
        most.append(len(alive))
        return picture

    monkeypatch.setattr(Photo, "working", counted)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    label = tiny_classifier.labels[0]
    files = [f"{label}/{number}" for number in range(photos)]
    source = Source("made", files, ((label,),), [0] * photos, False, lambda number: Photo("a", "0", pixels))
    selection = Selection(limit=None, seed=0, batch=2, size=64)
    evaluate(Run(tmp_path), source, tiny_classifier, Plan({}, {"lgs": LGS()}), selection)
    assert len(most) == photos
    assert max(most) <= 4 * selection.batch
    assert not alive


def test_a_run_of_an_earlier_version_is_not_gone_on_with(whole, source, tiny_classifier, tmp_path):
    facts = json.loads((whole[0].folder / SETTINGS).read_text(encoding="utf-8"))
    del facts["settings"]["truth"], facts["settings"]["attack_wrong"]
    (tmp_path / SETTINGS).write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(ValueError, match="a run of an earlier version, whose attacks left the predicted"):
        evaluate(Run(tmp_path), source, tiny_classifier, PLAN, SELECTION)
