"""Every part runs on a tiny case and tells what it should; nothing is judged by its time."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest

from bench import browsing, serving
from bench.defending import PASS
from bench.figure import figure, seconds_of
from bench.interleaved import Quartiles, Row
from bench.moving import entrants_of, first_page, moves
from bench.parts import FIGURE, JSON, PARTS, TABLES, write
from bench.setting import LeftOut, Setting, photographs
from defenses import DEFENSES
from ui.session.workbench import Workbench

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


@pytest.fixture
def setting(tiny_classifier) -> Setting:
    tiny_classifier.working_size = 64
    return Setting(tiny_classifier, (1, 2), 64, seconds=0)


def test_photographs_differ_and_are_photos():
    photos = photographs(7, 64)
    assert photos.shape == (7, 3, 64, 64)
    assert 0 <= photos.min() < photos.max() <= 1
    assert all((photos[one] != photos[other]).any() for one in range(7) for other in range(one))


@pytest.mark.parametrize("part", ["defenses", "attacks", "classifier", "evaluation"])
def test_a_part_tells_every_case_at_every_batch(part, setting, monkeypatch):
    for name, value in {"PHOTOS": 2, "BATCH": 2}.items():
        monkeypatch.setattr(f"bench.evaluating.{name}", value)
    lines = list(PARTS[part](setting))
    rows = [one for one in lines if isinstance(one, Row)]
    assert {row.part for row in rows} == {part}
    assert {row.batch for row in rows} == ({2} if part == "evaluation" else {1, 2})
    for row in rows:
        assert row.repeats >= 3
        assert 0 < row.milliseconds.low <= row.milliseconds.median <= row.milliseconds.high
        assert (row.ratio is None) == (row.over == "")
    ours = {row.case for row in rows if row.by == "Unfool"}
    assert ours >= {"defenses": set(DEFENSES), "attacks": {"fgsm", "pgd", "lavan"}}.get(part, set())


def test_a_peer_that_is_not_installed_is_named_once(setting, monkeypatch):
    monkeypatch.setattr("bench.attacking.is_installed", lambda peer: peer != "foolbox")
    lines = list(PARTS["attacks"](setting))
    left_out = [str(one) for one in lines if isinstance(one, LeftOut)]
    assert left_out[0] == "attacks: foolbox for fgsm is left out: not installed."
    assert len(left_out) == 4
    assert not any(row.by == "foolbox" for row in lines if isinstance(row, Row))


def test_without_a_browser_a_sentence(setting, monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    (line,) = PARTS["app"](setting)
    assert "no chromium" in str(line)
    monkeypatch.setattr(browsing, "is_installed", lambda _peer: False)
    (line,) = PARTS["app"](setting)
    assert str(line) == "app: everything is left out: playwright is not installed."


BROWSE = """
import json
from bench import browsing
from bench.setting import Setting
from classifiers import load
browsing.STARTS = browsing.LEAST = 1
rows = list(browsing.browsing(Setting(load("builtin", device="cpu"), seconds=0)))
print(json.dumps([row.facts() for row in rows]))
"""


def test_the_app_in_a_browser():
    if serving.chromium() is None:
        pytest.skip("no chromium on this machine")
    # In a process of its own: playwright refuses a second browser in one.
    said = subprocess.run(
        [sys.executable, "-c", BROWSE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    rows = json.loads(said.stdout)
    assert [(row["case"], row["stage"]) for row in rows] == [
        ("start to first paint", "all"),
        ("another page", "all"),
        *(
            (f"repaint after {name}", stage)
            for name in browsing.SLIDERS
            for stage in ("first picture", "all")
        ),
    ]
    assert all(row["milliseconds"]["median"] > 0 for row in rows)
    for first, whole in zip(rows[2::2], rows[3::2], strict=True):
        assert first["milliseconds"]["median"] < whole["milliseconds"]["median"]
        assert first["bytes"] is None
        assert whole["bytes"] > 10_000


@pytest.mark.parametrize("slider", moves())
def test_a_move_is_a_visitors(slider, tiny_classifier):
    """It leads elsewhere each time, asks as often as on the page, and its stages are those of the page."""
    tiny_classifier.working_size = 64
    page = first_page(tiny_classifier)
    moved = moves()[slider]
    entrants = entrants_of(page, moved)
    assert entrants[0].key == PASS
    stages = [entrant.stage for entrant in entrants[1:]]
    assert stages == ["all", "story", "pictures", "beside", *(["inside"] if "pixel" in slider else [])]
    for entrant in entrants:
        entrant.before()
        entrant.work()
    places = [moved(number) for number in range(300)]
    assert all(one != other for one, other in pairwise(places))
    on_the_ribbon = slider in ("λ of lgs", "λ of slgs", "λ of wlgs")
    assert len(set(places)) == (51 if on_the_ribbon else 300)
    asked = []
    with tiny_classifier.register_forward_hook(lambda *_: asked.append(1)):
        page.whole(moved(299))
    assert len(asked) == (0 if on_the_ribbon else 1)
    assert isinstance(page.bench, Workbench)
    assert len(page.pictures(page.story(moved(400)))) > 1000


def row(case: str, by: str, stage: str, batch: int, milliseconds: float) -> Row:
    times = Quartiles(milliseconds, milliseconds, milliseconds)
    return Row("defenses", case, batch, stage, by, times, None, "", 3)


ROWS = [
    row("slgs", *PASS, 16, 500),
    row("slgs", "Unfool", "evidence", 16, 100),
    row("slgs", "Unfool", "transform", 16, 60),
    row("slgs", "Unfool", "all", 16, 160),
    row("median", "Unfool", "transform", 1, 9),
    row("median", "Unfool", "transform", 16, 16),
    row("median", "A & B", "transform", 1, 2),
]


def test_the_figure_tells_seconds_for_5000_photos_at_the_largest_batch():
    assert seconds_of(ROWS) == [
        ("median", "Unfool", 5.0),
        ("median", "A & B", 10.0),
        ("slgs", "Unfool", 50.0),
    ]
    # A peer of the transform is not set beside ours with its evidence.
    compared = [*ROWS, row("slgs", "a loop", "transform", 16, 32)]
    assert seconds_of(compared)[2:] == [
        ("slgs", "Unfool", 50.0),
        ("slgs", "Unfool, transform alone", 18.75),
        ("slgs", "a loop, transform alone", 10.0),
    ]
    drawn = ElementTree.fromstring(figure(ROWS, "Seconds <5000>"))
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "Seconds <5000>"
    assert {"median", "median, A & B", "slgs", "5 s", "10 s", "50 s"} <= set(words)
    assert figure([], "nothing") == ""


def test_what_is_written(tmp_path, setting):
    left_out = [LeftOut("defenses", "kornia for jpeg", "not installed")]
    assert write(tmp_path / "out", setting, ROWS, left_out) == [JSON, TABLES, FIGURE]
    report = json.loads((tmp_path / "out" / JSON).read_text(encoding="utf-8"))
    assert report["rows"][0]["milliseconds"] == {"low": 500, "median": 500, "high": 500}
    assert report["left_out"] == [{"part": "defenses", "what": "kornia for jpeg", "why": "not installed"}]
    assert {"machine", "device", "classifier", "size", "versions"} <= report.keys()
    text = (tmp_path / "out" / TABLES).read_text(encoding="utf-8")
    assert "| slgs | 16 | all | Unfool | 160 (160 to 160) |" in text
    assert "* defenses: kornia for jpeg is left out: not installed." in text
    assert write(tmp_path / "out", setting, [], []) == [JSON, TABLES]


def test_the_command_line_does_not_wait_for_the_browser_door():
    script = "import sys, terminal.commands; print('streamlit' in sys.modules, 'art' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["False", "False"]
