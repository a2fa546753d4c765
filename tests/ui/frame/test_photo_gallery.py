"""The gallery in the sidebar, above all that of a folder of one's own."""

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from photos import gallery, packaged
from photos.gallery import FOLDER
from tests.ui.visiting import SCRIPT
from ui.frame import photo_gallery
from ui.session.notices import plain

MARKUP = "**b** <img src=x onerror=alert(1)> :red[x] }"


def visit(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    app.query_params.update({"attack": "noise", "classifier": "builtin"} | query)
    return app.run()


def tiles(app: AppTest) -> list:
    assert not app.exception
    return [button for button in app.button if (button.key or "").startswith("gallery_")]


def warned(app: AppTest) -> list[str]:
    return [element.value for element in (*app.error, *app.warning)]


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption)


def picture(file, shade=100, size=(80, 80)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize(size).point(lambda value: (value + shade) % 256).save(file)


@pytest.fixture
def thumbnails(monkeypatch):
    """Names of the photos of which a thumbnail was made, in this order."""
    photo_gallery._thumbnail.clear()
    made, make = [], photo_gallery.gallery_thumbnail

    def recorded(entry, side):
        made.append(entry.name)
        return make(entry, side)

    monkeypatch.setattr(photo_gallery, "gallery_thumbnail", recorded)
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for number in range(3):
        picture(tmp_path / "fish" / f"{number}.png", 50 * number)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


def test_all_of_ours_are_shown_and_made_small_once(thumbnails):
    app = visit()
    assert warned(app) == []
    assert [tile.key for tile in tiles(app)] == [f"gallery_{name}" for name in gallery()]
    assert all(plain(entry.credit) in tile.help for entry, tile in zip(packaged(), tiles(app), strict=True))
    assert thumbnails == list(gallery())
    tiles(app)[3].click().run()
    assert app.query_params["photo"] == gallery()[3]
    visit()
    assert thumbnails == list(gallery())


def test_without_the_package_the_others_are_shown_and_it_is_said(monkeypatch):
    left = tuple(entry for entry in packaged() if entry.package != "foolbox")
    monkeypatch.setattr(photo_gallery, "gallery_entries", lambda: left)
    monkeypatch.setattr(photo_gallery, "gallery_remark", lambda: "The package foolbox is not installed.")
    app = visit()
    assert len(tiles(app)) == len(left) < len(packaged())
    assert warned(app) == ["The package foolbox is not installed."]


def test_a_folder_is_shown_and_goes_into_links(folder):
    app = visit()
    assert warned(app) == []
    assert [tile.label for tile in tiles(app)] == ["fish"] * 3
    assert "photo" not in app.query_params
    tiles(app)[2].click().run()
    assert app.query_params["photo"] == "fish/2.png"
    again = visit(photo="fish/1.png")
    assert warned(again) == []
    assert again.session_state["photo"] == "fish/1.png"
    assert [tile.proto.type for tile in tiles(again)] == ["secondary", "primary", "secondary"]


def test_markup_in_a_name_stays_text(folder):
    picture(folder / MARKUP / "x.png")
    picture(folder / f"{MARKUP}.png")
    (folder / f"{MARKUP}bad.png").write_bytes(b"nonsense")
    app = visit()
    assert plain(MARKUP) in [tile.label for tile in tiles(app)]
    keys = "".join(tile.key for tile in tiles(app))
    style = "".join(part.proto.body for part in app.get("html") if "gallery_" in part.proto.body)
    assert not set("<>*:") & set(keys)
    assert "onerror" not in style
    assert plain(f"Left out: {MARKUP}bad.png is not a PNG") in captions(app)
    refused = visit(photo="nobody")
    (sentence,) = warned(refused)
    assert plain(f"{MARKUP}.png") in sentence


def test_a_large_folder_is_searched_and_only_what_is_shown_is_decoded(folder, thumbnails):
    for number in range(60):
        picture(folder / "bird" / f"{number:02d}.png", number)
    app = visit()
    assert len(tiles(app)) == photo_gallery.MOST == len(thumbnails)
    app.text_input(key="photo_search").set_value("FISH").run()
    assert warned(app) == []
    assert [tile.help.startswith(plain("fish/")) for tile in tiles(app)] == [True] * 3
    assert len(thumbnails) == photo_gallery.MOST + 3
    app.text_input(key="photo_search").set_value("bird 17").run()
    assert [tile.help.startswith(plain("bird/17.png")) for tile in tiles(app)] == [True]
    app.text_input(key="photo_search").set_value("unicorn").run()
    assert tiles(app) == []
    assert "No photo has this in its name or label." in captions(app)


def test_a_small_folder_has_no_search(folder):
    assert [field.key for field in visit().text_input if field.key == "photo_search"] == []


def test_files_that_are_no_photos_are_left_out_with_a_sentence(folder):
    (folder / "fish" / "bad.png").write_bytes(b"nonsense")
    app = visit()
    assert warned(app) == []
    assert len(tiles(app)) == 3
    assert plain("Left out: bad.png is not a PNG") in captions(app)


def test_a_first_photo_that_cannot_be_read_gives_way_to_the_next(folder):
    (folder / "0.png").write_bytes(b"nonsense")
    app = visit()
    (sentence,) = warned(app)
    assert sentence.endswith("Another photo of the gallery is shown.")
    assert app.session_state["photo"] == "fish/0.png"
    assert warned(app.run()) == []


def test_a_folder_of_nothing_but_bad_files_leaves_one_of_ours(tmp_path, monkeypatch):
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    monkeypatch.setenv(FOLDER, str(tmp_path))
    app = visit()
    assert tiles(app) == []
    assert app.session_state["photo"] == packaged()[0].name
    assert not app.error


def test_a_folder_that_is_missing_is_a_sentence_and_ours_stay(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "nowhere"))
    app = visit()
    assert len(tiles(app)) == len(packaged())
    (sentence,) = warned(app)
    assert "nowhere, which UNFOOL\\_GALLERY names, does not exist. You see the photos" in sentence
