"""The page of Heat and Blur without a browser."""

import re
import time
from importlib.resources import files

import pytest
from streamlit.testing.v1 import AppTest

from defenses import HeatAndBlur
from evaluation.one_photo.heat_and_blur import Survival
from explain import STANDS_IN, STARTS
from tests.ui.visiting import SCRIPT, page_file
from tests.ui.widget_keys import key_of
from ui.charts.heat_and_blur import survival_figure
from ui.defense import heat_and_blur

pytestmark = pytest.mark.long


def page(**query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=240)
    app.query_params.update({"attack": "noise", "defense": "heat-and-blur"} | query)
    app = app.switch_page(page_file("heat_and_blur")).run()
    assert not app.exception
    assert not app.error
    return app


def test_the_heat_before_and_after_for_every_start():
    app = page()
    titles = [heading.value for heading in app.main.subheader]
    assert titles == ["Does the object survive in the heat?", "On many photos"]
    found = [
        re.fullmatch(r"\*\*(.+)\*\*: correlation \*\*(-?\d\.\d\d)\*\*", text.value) for text in app.markdown
    ]
    found = [match for match in found if match]
    assert tuple(match[1] for match in found) == tuple(STARTS)
    assert all(-1 <= float(match[2]) <= 1 for match in found)
    assert len(app.main.get("image")) == 2 * len(STARTS)
    assert "reconstruction" in app.markdown[0].value


def test_no_values_are_called_the_papers():
    app = page(**{"defense.gamma": "3"})
    assert "papers_values" not in [button.key for button in app.button]
    app.button(key="defaults").click().run()
    assert app.slider(key=key_of("defense.heat-and-blur.gamma")).value == HeatAndBlur().gamma


def test_on_the_clean_photo_there_is_nothing_to_compare():
    app = page(on="clean")
    assert any("Choose the attacked photo" in text.value for text in app.markdown)
    assert not app.main.get("image")


def test_a_network_that_is_not_supported_is_a_sentence(monkeypatch):
    monkeypatch.setattr(heat_and_blur, "propagates", lambda _model: False)
    assert STANDS_IN in [info.value for info in page().info]


def measured(app: AppTest) -> AppTest:
    app.button(key="measure_survival").click().run()
    for _ in range(240):
        if app.get("plotly_chart") and not app.get("progress"):
            break
        time.sleep(1)
        app.run()
    assert not app.exception
    return app


def test_the_photos_of_the_app_are_measured_on_demand():
    app = page()
    assert not app.get("plotly_chart")
    measured(app)
    assert not app.error
    assert len(app.get("plotly_chart")) == 1
    assert any(f"Means over {heat_and_blur.MOST} photos" in text.value for text in app.markdown)


def test_photos_of_ones_own_are_measured_beside_them():
    app = page()
    data = (files("skimage.data") / "coffee.png").read_bytes()
    app.file_uploader(key="survival_photos").set_value([("mine.png", data, "image/png")]).run()
    measured(app)
    assert not app.error
    assert any(f"Means over {heat_and_blur.MOST + 1} photos" in text.value for text in app.markdown)


def test_a_file_that_is_no_photo_is_a_sentence():
    app = page()
    app.file_uploader(key="survival_photos").set_value([("no.png", b"no photo", "image/png")]).run()
    app.button(key="measure_survival").click().run()
    for _ in range(60):
        if app.error:
            break
        time.sleep(1)
        app.run()
    assert not app.exception
    assert "no.png" in app.error[0].value


@pytest.fixture
def rows() -> list[Survival]:
    return [
        Survival(
            name, fooled, dict.fromkeys(STARTS, value), {"class-free": 0.1, "predicted": 0.2, "top-k": 0.3}
        )
        for name, fooled, value in (("coffee", True, 0.9), ("rocket", False, -0.5))
    ]


def test_the_chart_has_a_point_for_every_photo_and_start(rows):
    survived, owed = survival_figure(rows).data
    assert list(survived.x) == list(owed.x) == [start for start in STARTS for _ in rows]
    assert list(survived.y) == [0.9, -0.5] * 3
    assert list(owed.y) == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert list(survived.customdata) == ["coffee", "rocket (not fooled)"] * 3
    assert survived.line.color != owed.line.color
    assert survived.marker.symbol != owed.marker.symbol
    assert min(survival_figure(rows).layout.yaxis.range) <= -1


def test_the_chart_in_words(rows):
    assert heat_and_blur._in_words(rows) == (
        "Means over 2 photos (1 fooled): **class-free** 0.20 (another photo: 0.10); "
        "**predicted** 0.20 (another photo: 0.20); **top-k** 0.20 (another photo: 0.30)."
    )
    assert heat_and_blur._in_words(rows[:1]).startswith("Means over 1 photo (1 fooled): **class-free** 0.90")
