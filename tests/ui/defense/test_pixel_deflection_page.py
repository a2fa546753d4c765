"""The page of Pixel Deflection without a browser."""

import re

from streamlit.testing.v1 import AppTest

from tests.ui.visiting import SCRIPT, page_file
from tests.ui.widget_keys import key_of

ROWS = ["clean", "attacked", "PD", "PD + WD", "PD + R-CAM", "PD + R-CAM + WD"]


def page(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=120)
    begin = {"attack": "noise", "defense": "pixel-deflection"}
    app.query_params.update(begin | {"classifier": "builtin-vgg", "photo": "chelsea"} | query)
    app = app.switch_page(page_file("pixel_deflection")).run()
    assert not app.exception
    assert not app.error
    return app


def measured(app: AppTest) -> AppTest:
    app.button(key="measure_parts").click().run()
    assert not app.exception
    return app


def headings(app: AppTest) -> list[str]:
    return [heading.value for heading in app.main.subheader]


def test_the_story_and_what_is_inside_it():
    app = page()
    assert headings(app) == [
        "Other draws of this defense",
        "What the map is made of",
        "What the wavelets take away",
        "Which part helps",
    ]
    assert len(app.main.get("image")) == 5
    assert len(app.dataframe) == 1
    thresholds, table = (frame.value for frame in measured(app).dataframe)
    assert list(thresholds["direction"][:3]) == ["horizontal", "vertical", "diagonal"]
    assert list(table["photo"]) == ROWS
    assert all("±" in cell for cell in table["true"][2:])
    assert re.fullmatch(r"\d of 5", table["restored"].iloc[-1])
    assert table["ndcg"].between(0, 1).all()
    assert table["ndcg"][0] == 1 > table["ndcg"][1:].min()


def test_an_attack_of_the_other_kind_is_said_and_can_be_changed():
    app = page(attack="universal-patch")
    assert "made for small changes" in " ".join(caption.value for caption in app.caption)
    app.button(key="other_attack").click().run()
    assert not app.exception
    assert app.session_state["attack"] == "iterated-fgsm"
    assert "made for small changes" not in " ".join(caption.value for caption in app.caption)
    assert "iterated-fgsm" in app.query_params["attack"]


def test_without_the_map():
    app = page(**{"defense.map": "none"})
    assert any("switched off" in text.value for text in app.markdown)
    assert not app.main.get("image")


def test_another_denoiser_has_no_thresholds():
    app = page(**{"defense.denoiser": "tvm"})
    assert "What the wavelets take away" not in headings(app)


def test_on_the_clean_photo_there_is_no_table():
    app = page(on="clean")
    assert len(app.dataframe) == 1
    assert any("Choose the attacked photo" in text.value for text in app.markdown)


def test_more_draws_on_demand():
    app = measured(page())
    app.segmented_control(key="deflection_draws").set_value(10).run()
    assert len(app.dataframe) == 1
    assert re.fullmatch(r"\d+ of 10", measured(app).dataframe[1].value["restored"].iloc[-1])


def test_the_papers_values_and_back():
    app = page()
    app.button(key="papers_values").click().run()
    assert app.slider(key=key_of("defense.pixel-deflection.deflections")).value == 1500
    app.button(key="defaults").click().run()
    assert app.slider(key=key_of("defense.pixel-deflection.deflections")).value == 200
