"""The page Failures without a browser: choosing, adding, filtering, opening."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile

import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

import ui.runs.desk
from attacks import ATTACKS
from classifiers import load
from defenses import LGS, SLGS, SmoothingVote
from evaluation.many_photos import run_library
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import Manners, Selection
from evaluation.many_photos.run_folder import ROWS, SETTINGS, Run
from photos import gallery_photo
from story.render import to_png
from tests.ui.visiting import SCRIPT, page_file
from tests.ui.widget_keys import key_of
from ui.runs.files import csv_of, parquet_of, sheet_of
from ui.session.notices import plain

pytestmark = pytest.mark.long

PLAN = Plan(
    {"pgd": ATTACKS["pgd"](eps=8 / 255, iterations=2, seed=5), "lavan": ATTACKS["lavan"](iterations=2)},
    {"lgs": LGS(lam=1.5), "slgs:lam=3.5": SLGS(lam=3.5), "smoothing-vote": SmoothingVote()},
)


def zipped(photos=3, label="motorbike"):
    """Gallery photos of motorbikes, and a file that is no photo."""
    pixels = gallery_photo("stereo_motorcycle").pixels
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(photos):
            archive.writestr(f"{label}/{number} <b>.png", to_png(pixels[8 * number :: 2, ::2]))
        archive.writestr(f"{label}/broken.png", b"no photo")
    file.seek(0)
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with one finished run by the built-in classifier."""
    folder = tmp_path_factory.mktemp("runs")
    classifier = load("builtin", device="cpu")
    selection = Selection(None, 0, 4, 160)
    name = run_library.begin_with(folder, zipped(), "bikes.zip", classifier, PLAN, selection)
    run_library.go_on(Run(folder / name), classifier, Manners())
    return folder


@pytest.fixture
def folder(made, monkeypatch):
    monkeypatch.setenv("UNFOOL_RUNS", str(made))
    return made


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("UNFOOL_RUNS", str(tmp_path))
    return tmp_path


def page(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=240)
    app.query_params.update({"attack": "noise"} | query)
    return app.switch_page(page_file("failures")).run()


def said(app: AppTest) -> list[str]:
    assert not app.exception
    return [element.value for element in (*app.error, *app.warning)]


def tiles(app: AppTest):
    return [button for button in app.button if button.key and button.key.startswith("tile_")]


def test_without_a_run_the_page_says_how_to_get_one(empty):
    app = page()
    assert said(app) == []
    assert "There is no run yet" in app.info[0].value
    assert not app.dataframe


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ((), "Attacks leave the true label; a photo that is wrong without an attack"),
        (("truth", "attack_wrong"), "Attacks leave the predicted label, also of photos that were wrong"),
    ],
)
def test_a_run_says_by_which_rule_it_was_made(made, tmp_path, monkeypatch, missing, words):
    """One that was made before there was a rule of truth has none among its settings."""
    shutil.copytree(made / "bikes", tmp_path / "bikes")
    monkeypatch.setenv("UNFOOL_RUNS", str(tmp_path))
    file = tmp_path / "bikes" / SETTINGS
    facts = json.loads(file.read_text(encoding="utf-8"))
    for name in missing:
        del facts["settings"][name]
    file.write_text(json.dumps(facts), encoding="utf-8")
    app = page()
    assert said(app) == []
    assert any(caption.value.startswith(words) for caption in app.caption)


def test_a_run_is_shown(folder):
    app = page()
    assert said(app) == []
    assert app.selectbox(key="run").value == "bikes"
    assert app.query_params["run"] in ("bikes", ["bikes"])
    matrix = app.dataframe[0].value
    assert list(matrix["defense"]) == [
        "no defense",
        "LGS",
        "SLGS",
        "Smoothing vote",
    ]
    assert list(matrix.columns) == ["defense", "none", "pgd", "lavan"]
    assert matrix["none"][0] == "100.0 (44 to 100)"
    assert [tab.label for tab in app.tabs] == [
        "Photos to run now",
        "A finished run",
        "Outcomes and causes",
        "The attack's label",
        "SSIM",
        "Time",
    ]
    assert any("λ against accuracy is drawn of a run" in caption.value for caption in app.caption)
    changes = app.dataframe[1].value
    assert changes[["right", "wrong", "rejected"]].to_numpy().sum() == 3
    assert [button.label for button in app.get("download_button")][:3] == [
        "Rows (CSV)",
        "Rows (Parquet)",
        "Report (HTML)",
    ]


def everything(app: AppTest, attack: str, defense: str) -> AppTest:
    """All outcomes of one attack and defense."""
    outcomes = next(group for group in app.get("button_group") if group.key == "failures_outcomes")
    outcomes.set_value(["right", "wrong", "rejected", "unread"])
    box = next(box for box in app.selectbox if box.key and box.key.startswith("failures_attack"))
    box.set_value(attack)
    box = next(box for box in app.selectbox if box.key and box.key.startswith("failures_defense"))
    box.set_value(defense)
    app.run()
    chosen = [
        box.value for box in app.selectbox if box.key and box.key.startswith(("failures_a", "failures_d"))
    ]
    assert chosen == [attack, defense]
    return app


def test_filters_leave_the_rows_that_they_say(folder):
    app = everything(page(), "none", "none")
    rows = pq.read_table(folder / "bikes" / ROWS).to_pylist()
    cell = [row for row in rows if (row["attack"], row["defense"]) == ("none", "none")]
    assert len(tiles(app)) == len(cell) == 4
    surest = sorted(cell, key=lambda row: -(row["probability"] or 0))
    assert [button.help.partition(":")[0].replace("\\", "") for button in tiles(app)] == [
        row["file"] for row in surest
    ]
    assert [button.disabled for button in tiles(app)] == [False] * 3 + [True]
    app.slider(key="failures_probability").set_value((0, 1)).run()
    assert tiles(app) == []
    assert any(text.value.startswith("**0** of") for text in app.markdown)


def test_a_press_opens_the_photo_with_the_very_attack(folder):
    app = everything(page(), "lavan", "slgs:lam=3.5")
    (row,) = [
        row
        for row in pq.read_table(folder / "bikes" / ROWS).to_pylist()
        if (row["attack"], row["defense"], row["number"]) == ("lavan", "slgs:lam=3.5", 1)
    ]
    button = next(button for button in tiles(app) if row["file"][:11] in button.help.replace("\\", ""))
    button.click().run()
    assert said(app) == []
    assert app.title[0].value == "Gradient smoothing"
    state = app.session_state
    assert (state["photo"], state["attack"], state["defense"], state["on"]) == (
        "own",
        "lavan",
        "slgs",
        "attacked",
    )
    assert state["target"] == row["target"]
    assert app.slider(key=key_of("defense.lgs.lam")).value == 3.5
    found = "".join(part.proto.body for part in app.get("html"))
    assert f"{100 * row['probability']:.0f}" in found
    assert row["predicted"] in found


def test_a_press_on_a_clean_bare_photo_goes_to_the_attack_page(folder):
    app = everything(page(), "none", "none")
    tiles(app)[0].click().run()
    assert app.title[0].value == "Attack"
    assert app.session_state["on"] == "clean"
    assert app.session_state["photo"] == "own"


def test_a_link_to_a_run_that_is_gone(folder):
    app = page(run="no such run")
    (sentence,) = said(app)
    assert sentence == "There is no run called no such run here."
    assert app.selectbox(key="run").value == "bikes"


def unfinished(folder, *, own=True):
    """A run of which nothing is computed yet."""
    classifier = load("builtin", device="cpu")
    plan = Plan({}, {"lgs": LGS()})
    name = run_library.begin_with(folder, zipped(), "later.zip", classifier, plan, Selection(None, 0, 2, 160))
    if not own:
        (folder / name / run_library.PHOTOS).unlink()
    return Run(folder / name)


def test_an_unfinished_run_goes_on_when_the_page_is_opened(empty):
    run = unfinished(empty)
    app = page()
    for _ in range(300):
        if run.merged:
            break
        time.sleep(0.2)
    assert run_library.progress(run).finished
    app.run()
    assert said(app) == []
    assert app.dataframe


def test_a_run_of_the_command_line_is_left_to_it(empty, monkeypatch):
    run = unfinished(empty, own=False)
    monkeypatch.setattr(ui.runs.desk.Desk, "ask", lambda *_: pytest.fail("it is not the app's"))
    app = page()
    assert said(app) == []
    assert any("goes on with it when it is given again" in caption.value for caption in app.caption)
    assert not run.merged


def test_a_run_that_cannot_go_on_says_why(empty):
    run = unfinished(empty)
    told = json.loads((run.folder / SETTINGS).read_text())
    told["settings"]["seed"] = 1
    told["settings"]["versions"] = {"torch": "0.1"}
    (run.folder / SETTINGS).write_text(json.dumps(told))
    app = page()
    for _ in range(100):
        app.run()
        if app.error:
            break
        time.sleep(0.2)
    assert "versions" in app.error[0].value
    assert any(button.label == "Go on" for button in app.button)


def test_a_damaged_run_is_one_sentence(empty):
    (empty / "bad").mkdir()
    (empty / "bad" / SETTINGS).write_text("{}")
    assert said(page()) == ["run.json is not that of a run."]
    run = unfinished(empty)
    (run.folder / ROWS).write_bytes(b"no rows")
    assert said(page(run="later")) == ["photos.parquet is damaged or no Parquet file."]


def test_deleting(empty):
    run = unfinished(empty)
    (run.folder / ROWS).write_bytes(b"")
    app = page()
    app.button(key="delete_run").click().run()
    assert not run.folder.exists()
    assert "There is no run yet" in app.info[0].value


def test_what_is_taken_along(folder):
    table = pq.read_table(folder / "bikes" / ROWS)
    assert pq.read_table(io.BytesIO(parquet_of(table))).equals(table)
    lines = csv_of(table).decode().splitlines()
    assert len(lines) == 1 + len(table)
    assert lines[0].startswith('"number","file"')


def test_the_sheet_is_a_picture_of_all_thumbnails():
    picture = gallery_photo("chelsea").pixels[:112, :112]
    assert sheet_of([picture, None, picture]).startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["a_b *c*", "[x](http://y)", ":red[z]", "![i](j)", "`k`", "$l$"])
def test_markup_is_shown_as_it_is(text):
    shown = plain(text)
    assert shown.replace("\\", "") == text
    assert all(shown[shown.index(sign) - 1] == "\\" for sign in "_*[(`$:" if sign in shown)
