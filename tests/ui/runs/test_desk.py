"""The worker behind the runs: one after another, each to its end, and what goes wrong is a sentence."""

from __future__ import annotations

import io
import time
import zipfile

import pytest

from attacks import ATTACKS
from classifiers import ClassifierError
from defenses import LGS
from evaluation.many_photos import run_library
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Selection
from evaluation.many_photos.run_folder import PARTS, Run
from story.render import to_png
from ui.runs.desk import Desk


@pytest.fixture
def begin(tmp_path, classifier, photo):
    """Makes a run of ``photos`` photos whose attack takes ``iterations``."""

    def begun(photos=3, iterations=1):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for number in range(photos):
                archive.writestr(f"cat/{number}.png", to_png(photo.pixels[number:]))
        file.seek(0)
        # The classifier's weights are random, so its answers are mostly wrong.
        plan = Plan({"pgd": ATTACKS["pgd"](iterations=iterations)}, {"lgs": LGS()}, attack_wrong=True)
        name = run_library.begin_with(tmp_path, file, "some.zip", classifier, plan, Selection(None, 0, 2, 64))
        return Run(tmp_path / name)

    return begun


def until(holds):
    """Waits for a state, on a busy machine long."""
    for _ in range(60_000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("nothing came of it")


def test_runs_are_computed_one_after_another(begin, classifier):
    loaded = []

    def load(name, device):
        loaded.append((name, device))
        return classifier

    desk = Desk(load)
    first, second = begin(), begin()
    desk.ask(first.folder)
    desk.ask(second.folder)
    desk.ask(second.folder)
    until(lambda: not desk.holds(first.folder) and not desk.holds(second.folder))
    assert [run_library.progress(run) for run in (first, second)] == [
        run_library.Progress(3, 3, finished=True)
    ] * 2
    assert loaded == [("small", "cpu")] * 2
    third = begin()
    desk.ask(third.folder)
    until(lambda: third.merged)


def test_what_another_left_is_gone_on_with(begin, classifier):
    """A new desk is what there is after a restart of the server."""
    run = begin(photos=5, iterations=400)
    desk = Desk(lambda name, device: classifier)
    desk.ask(run.folder)
    until(lambda: run.done())
    desk.drop(run.folder)
    assert not run.merged
    before = {file.name: file.stat().st_mtime_ns for file in (run.folder / PARTS).iterdir()}
    other = Desk(lambda name, device: classifier)
    other.ask(run.folder)
    until(lambda: len(run.done()) > len(before) or run.merged)
    if (run.folder / PARTS).exists():
        after = {file.name: file.stat().st_mtime_ns for file in (run.folder / PARTS).iterdir()}
        assert before.items() <= after.items()
    until(lambda: not other.holds(run.folder))
    assert run_library.progress(run) == run_library.Progress(5, 5, finished=True)


def test_a_run_that_is_dropped_ends_within_its_attack(begin, classifier):
    run = begin(photos=2, iterations=1000)
    loaded = []
    desk = Desk(lambda name, device: loaded.append(name) or classifier)
    desk.ask(run.folder)
    until(lambda: loaded)
    desk.drop(run.folder)
    assert not desk.holds(run.folder)
    assert desk.wrong(run.folder) == ""
    assert not run.done()


def test_what_goes_wrong_is_told_and_the_next_run_is_computed(begin, classifier, caplog):
    answers = [ClassifierError("there is no such classifier"), RuntimeError("a secret"), OSError(28, "full")]

    def load(name, device):
        if answers:
            raise answers.pop(0)
        return classifier

    desk = Desk(load)
    three = [begin() for _ in range(4)]
    for run in three:
        desk.ask(run.folder)
    until(lambda: not any(desk.holds(run.folder) for run in three))
    sentences = [desk.wrong(run.folder) for run in three]
    assert sentences[0] == "There is no such classifier."
    assert "secret" not in sentences[1]
    assert "unexpected" in sentences[1]
    assert sentences[2] == "The run cannot be written: full."
    assert sentences[3] == ""
    assert three[3].merged
    assert "a secret" in caplog.text
    desk.ask(three[0].folder)
    until(lambda: three[0].merged)
    assert desk.wrong(three[0].folder) == ""
