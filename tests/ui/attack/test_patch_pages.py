"""Patch library and live training without a browser."""

import time

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from attacks.patch_training import Recipe
from attacks.universal_patch import PATCHES
from photos import gallery
from story.export import patch_npz
from story.param import AUTO
from story.render import to_png
from tests.ui.test_pages import said, verdict
from tests.ui.visiting import SCRIPT, page_file
from tests.ui.widget_keys import key_of
from ui.frame.verdict import percent
from ui.session.parameters import state_key
from ui.session.workbench import Workbench

pytestmark = pytest.mark.long

QUICK = {"size": "160"}


@pytest.fixture(autouse=True)
def visits_of_their_own():
    """AppTest's visits all have the same name, so one would find what another has left on the bench."""

    def leave():
        from ui.session.workbench import workbench

        workbench().close()
        workbench.clear()

    yield
    assert not AppTest.from_function(leave, default_timeout=120).run().exception


def page(name: str, **query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=240)
    app.query_params.update(QUICK | query)
    return app.switch_page(page_file(name)).run()


def words(app: AppTest) -> str:
    return " ".join(part.value for part in app.markdown)


def number(app: AppTest, name: str):
    return app.number_input(key=key_of(f"attack.universal-patch.{name}"))


def chosen(app: AppTest) -> str:
    return app.session_state[key_of("attack.universal-patch.patch")]


def png(side: int = 20, value: int = 90) -> bytes:
    return to_png(np.full((side, side, 3), value, np.uint8))


# --- library ----------------------------------------------------------------------------------------------


def test_the_library_begins_with_the_ready_made_patch():
    app = page("patch_library", attack="noise")
    assert said(app) == []
    assert app.title[0].value == "Patch library"
    assert app.session_state["attack"] == "universal-patch"
    assert chosen(app) == AUTO
    assert "fooled" in verdict(app)
    assert "of the area it covers" in words(app)
    labels = [button.label for button in app.get("download_button")]
    assert labels == ["Patch (PNG)", "Patch (NPZ)", "A4 page (PDF)", "Picture at 300 dpi (PNG)"]


def test_numbers_place_resize_and_turn_it_and_are_in_the_link():
    app = page("patch_library", photo="chelsea", classifier="builtin-vgg")
    before, covering = verdict(app), words(app)
    assert "leaves free what speaks for the object" in covering
    # Upon the nose, by which the cat is known.
    number(app, "x").set_value(0.68)
    number(app, "y").set_value(0.68)
    number(app, "scale").set_value(2.0)
    number(app, "rotation").set_value(45.0).run()
    assert said(app) == []
    assert "on a part of the object" in words(app)
    assert verdict(app) != before
    link = {"attack.x": "0.68", "attack.y": "0.68", "attack.scale": "2", "attack.rotation": "45"}
    assert app.query_params == {"photo": "chelsea", "classifier": "builtin-vgg"} | link
    app.switch_page(page_file("attack")).run()
    assert said(app) == []
    assert app.slider(key=key_of("attack.universal-patch.rotation")).value == 45.0


def test_a_patch_of_ones_own_is_kept_chosen_and_taken_away():
    app = page("patch_library")
    before = verdict(app)
    app.file_uploader(key="patch_files").set_value(("grey.png", png(), "image/png")).run()
    assert said(app) == []
    assert chosen(app) == "grey"
    assert verdict(app) != before
    assert "not fooled" in verdict(app)
    app.switch_page(page_file("gradient_smoothing")).run()
    assert said(app) == []
    assert "not fooled" in verdict(app)
    app.switch_page(page_file("patch_library")).run()
    app.button(key="drop_patch").click().run()
    assert said(app) == []
    assert chosen(app) == AUTO
    assert verdict(app) == before


def test_what_an_npz_says_of_its_patch_is_kept():
    pixels = Workbench().attacks["universal-patch"]().pasted_patch.pixels
    app = page("patch_library")
    file = ("ball.npz", patch_npz(pixels, 0.2, "golf ball"), "application/octet-stream")
    app.file_uploader(key="patch_files").set_value(file).run()
    assert said(app) == []
    assert chosen(app) == "ball"
    assert "for “golf ball”" in " ".join(caption.value for caption in app.caption)
    assert "20 % of the area at scale 1" in " ".join(caption.value for caption in app.caption)


def test_a_bad_file_is_a_sentence_and_changes_nothing():
    app = page("patch_library")
    before = verdict(app)
    wide = to_png(np.zeros((10, 30, 3), np.uint8))
    app.file_uploader(key="patch_files").set_value(
        [("wide.png", wide, "image/png"), ("bad.npz", b"PK\x03\x04", "")]
    )
    app.run()
    assert said(app) == [
        "wide.png has 30 x 10 pixels; a patch is a square, so cut it to one first.",
        "bad.npz is no NPZ file of plain numbers, or it is damaged.",
    ]
    assert verdict(app) == before
    app.run()
    assert said(app) == []


def test_the_patch_of_an_attack_goes_to_the_library():
    app = page("attack", **{"attack": "lavan", "attack.iterations": "1", "target": "accordion"})
    app.button(key="keep_attack_patch").click().run()
    assert chosen(app) == "accordion"
    app.switch_page(page_file("patch_library")).run()
    assert said(app) == []
    assert "for “accordion”" in " ".join(caption.value for caption in app.caption)


def facts(app: AppTest) -> str:
    return " ".join(part.value for part in (*app.caption, *app.info))


def patch_list(app: AppTest):
    return app.selectbox(key=key_of("attack.universal-patch.patch"))


@pytest.mark.parametrize("where", ["attack", "patch_library"])
def test_a_patch_off_its_place_says_what_it_does_there_and_offers_one_for_every_place(where):
    app = page(where, classifier="builtin-vgg", photo="chelsea", **{"attack.patch": "pizza"})
    assert said(app) == []
    assert "Trained on Built-in VGG for the top right corner." in facts(app)
    assert "predicts pizza on > 99 % of 1,5" in facts(app)
    assert not app.info
    assert "use_patch_for_every_place" not in keys(app)
    app.session_state[key_of("attack.universal-patch.x")] = 0.3
    app.run()
    assert said(app) == []
    val = PATCHES["pizza"].everything["val"]
    moved = f"Moved off its corner, this patch fooled {percent(val['fooled anywhere'])} of"
    assert moved in facts(app)
    button = app.button(key="use_patch_for_every_place")
    assert button.label == "Use that patch"
    assert "“French horn, 5 %, every place” fooled 98 % wherever it lay." in facts(app)
    button.click().run()
    assert said(app) == []
    assert chosen(app) == "french-horn"
    assert app.session_state[key_of("attack.universal-patch.x")] == 0.3
    assert "for every place, turned by up to 22.5°. Anywhere on the photo" in facts(app)
    assert not app.info


@pytest.mark.parametrize("where", ["attack", "patch_library"])
def test_a_classifier_without_patches_says_so_and_leads_to_the_training(where):
    app = page(where, classifier="builtin-hardened")
    assert said(app) == []
    assert "No ready-made patch was trained on Built-in hardened." in facts(app)
    assert "Trained on Built-in VGG for" in facts(app)
    assert "use_patch_for_every_place" not in keys(app)
    labels = [link.proto.label for link in app.get("page_link")]
    assert "Train a patch for Built-in hardened" in labels


def test_the_list_follows_the_classifier_and_the_choice_stays():
    app = page("patch_library", classifier="builtin-vgg", **{"attack.patch": "cup"})
    words = patch_list(app).options
    foreign = [" · for " in text for text in words]
    assert words[0].startswith("auto: ")
    assert foreign == sorted(foreign)
    assert "golf ball, 10 %, one corner · for Built-in" in words
    app.selectbox(key="classifier").set_value("builtin").run()
    assert said(app) == []
    assert patch_list(app).options[1] == "golf ball, 10 %, one corner"
    assert chosen(app) == "cup"
    assert patch_list(app).value == "cup"


# --- training ---------------------------------------------------------------------------------------------


def training_page(steps: int, target: str = "accordion") -> AppTest:
    app = page("train_patch")
    app.selectbox(key="training_target").set_value(target)
    app.number_input(key=state_key("training", Recipe.parameter("steps"))).set_value(steps)
    app.slider(key=state_key("training", Recipe.parameter("batch"))).set_value(2)
    app.multiselect(key="training_gallery").set_value(["chelsea", "coffee"])
    return app.run()


def until(app: AppTest, condition) -> None:
    end = time.monotonic() + 240
    while not condition(app):
        assert time.monotonic() < end
        time.sleep(0.2)
        app.run()


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button if button.key}


def test_before_the_first_training_it_says_what_will_be_here():
    app = page("train_patch")
    assert said(app) == []
    assert "begins as noise" in app.info[0].value
    assert app.selectbox(key="training_target").value == "pizza"
    assert len(app.multiselect(key="training_gallery").value) == 8


def test_a_patch_forms_and_is_kept_in_the_library():
    app = training_page(steps=3)
    app.button(key="train_patch").click().run()
    until(app, lambda app: "keep_patch" in keys(app))
    assert said(app) == []
    assert "The training for “accordion” ran to its end." in words(app)
    assert "of 2** of the photos that it learned from" in words(app)
    assert f"of {len(gallery()) - 2}** of the gallery's photos that it never saw" in words(app)
    app.button(key="keep_patch").click().run()
    assert said(app) == []
    assert "In your library as “accordion”" in app.success[0].value
    app.switch_page(page_file("patch_library")).run()
    assert said(app) == []
    assert chosen(app) == "accordion"
    app.switch_page(page_file("train_patch")).run()
    assert "In your library as “accordion”" in app.success[0].value


@pytest.mark.parametrize("looks", range(8))
def test_what_it_became_is_shown_only_where_it_is_said_that_it_ended(looks):
    """However often the page has asked when the training ends."""

    def put_on_the_bench(looks: int) -> None:
        from attacks.patch_training import Recipe, Training
        from classifiers import load
        from photos import gallery_photo
        from ui.attack.patch_training import Course
        from ui.session.workbench import workbench

        class Ending(Course):
            asked = looks

            @property
            def finished(self) -> bool:
                self.asked -= 1
                return self.asked < 0

            @finished.setter
            def finished(self, value: bool) -> None:
                pass

        training = Training(Recipe(steps=1, batch=1), "accordion", load("builtin"))
        course = Ending(training, [gallery_photo("chelsea")], [])
        course.parts += course.forming()
        workbench().training = course

    bench = AppTest.from_function(put_on_the_bench, args=(looks,), default_timeout=120).run()
    assert not bench.exception
    app = page("train_patch")
    assert said(app) == []
    over = "The training for “accordion” ran to its end." in words(app)
    assert over == ("keep_patch" in keys(app)) == ("stop_training" not in keys(app))


def test_it_goes_on_while_other_pages_are_looked_at_and_stops_when_told():
    app = training_page(steps=2000)
    app.button(key="train_patch").click().run()
    assert app.button(key="train_patch").disabled
    app.switch_page(page_file("attack")).run()
    app.switch_page(page_file("train_patch")).run()
    app.button(key="stop_training").click().run()
    until(app, lambda app: "stop_training" not in keys(app))
    assert said(app) == []
    assert "was stopped after step" in words(app)
    assert not app.button(key="train_patch").disabled


def test_it_learns_from_photos_of_ones_own():
    app = training_page(steps=1)
    app.multiselect(key="training_gallery").set_value([])
    files = [(f"{value}.png", png(200, value), "image/png") for value in (40, 90, 200)]
    app.file_uploader(key="training_files").set_value(files).run()
    app.button(key="train_patch").click().run()
    until(app, lambda app: "keep_patch" in keys(app))
    assert said(app) == []
    assert "of 3** of the photos that it learned from" in words(app)
    assert f"of {len(gallery())}** of the gallery's photos that it never saw" in words(app)


def test_what_is_discarded_is_gone():
    app = training_page(steps=2000)
    app.button(key="train_patch").click().run()
    app.button(key="discard_training").click().run()
    until(app, lambda app: bool(app.info))
    assert "begins as noise" in app.info[0].value
    assert "keep_patch" not in keys(app)


@pytest.mark.parametrize("own", [[], [("bad.png", b"nonsense", "image/png")]])
def test_without_photos_nothing_begins(own):
    app = page("train_patch")
    app.multiselect(key="training_gallery").set_value([])
    if own:
        app.file_uploader(key="training_files").set_value(own)
    app.run()
    app.button(key="train_patch").click().run()
    sentences = said(app)
    assert "A patch needs photos to learn from" in sentences[-1]
    assert [part for part in sentences if "bad.png" in part] == [
        "bad.png is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture, or it is damaged." for _ in own
    ]
    assert "begins as noise" in app.info[0].value
