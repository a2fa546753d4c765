"""The page of Heat and Blur without a browser."""

import re
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from defenses import HeatAndBlur
from evaluation.heating import Survival
from explain import GRAD_CAM, STARTS
from photos import gallery
from story.render import NEUTRAL
from ui import heating
from ui.figures import survival_figure

ROOT = Path(__file__).parents[2]


def page(**query) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
    app.query_params.update({"attack": "noise", "defense": "heat-and-blur", "size": "64"} | query)
    app = app.switch_page("pages/heat_and_blur.py").run()
    assert not app.exception
    assert not app.error
    return app


def test_the_heat_before_and_after_for_every_start():
    app = page()
    titles = [heading.value for heading in app.main.subheader]
    assert titles == ["Does the object survive in the heat?", "On every photo of the gallery"]
    found = [
        re.fullmatch(r"\*\*(.+)\*\*: correlation \*\*(-?\d\.\d\d)\*\*", text.value) for text in app.markdown
    ]
    found = [match for match in found if match]
    assert tuple(match[1] for match in found) == STARTS
    assert all(-1 <= float(match[2]) <= 1 for match in found)
    assert len(app.main.get("image")) == 2 * len(STARTS)
    assert "reconstruction" in app.markdown[0].value


def test_no_values_are_called_the_papers():
    app = page(**{"defense.gamma": "3"})
    assert "papers_values" not in [button.key for button in app.button]
    app.button(key="defaults").click().run()
    assert app.slider(key="defense.heat-and-blur.gamma").value == HeatAndBlur().gamma


def test_on_the_clean_photo_there_is_nothing_to_compare():
    app = page(on="clean")
    assert any("Choose the attacked photo" in text.value for text in app.markdown)
    assert not app.main.get("image")


def test_a_network_that_is_not_supported_is_a_sentence(monkeypatch):
    monkeypatch.setattr(heating, "propagates", lambda _model: False)
    assert GRAD_CAM in [info.value for info in page().info]


def test_the_gallery_is_measured_on_demand():
    app = page()
    assert not app.get("plotly_chart")
    app.button(key="measure_survival").click().run()
    for _ in range(240):
        if app.get("plotly_chart") and not app.get("progress"):
            break
        time.sleep(1)
        app.run()
    assert not app.exception
    assert not app.error
    assert len(app.get("plotly_chart")) == 1


@pytest.fixture
def rows() -> list[Survival]:
    return [
        Survival(
            name, fooled, dict.fromkeys(STARTS, value), {"class-free": 0.1, "predicted": 0.2, "top-k": 0.3}
        )
        for name, fooled, value in ((gallery()[0], True, 0.9), (gallery()[1], False, -0.5))
    ]


def test_the_chart_has_a_bar_for_every_start_and_a_line_for_what_is_owed_to_any_photo(rows):
    figure = survival_figure(rows)
    assert [trace.name for trace in figure.data] == [*STARTS, "another photo"]
    for bar in figure.data[:3]:
        assert list(bar.y) == [0.9, -0.5]
        assert list(bar.x) == [gallery()[0], f"{gallery()[1]} (not fooled)"]
    assert len({bar.marker.pattern.shape for bar in figure.data[:3]}) == 3
    assert list(figure.data[3].y) == pytest.approx([0.2, 0.2])
    assert figure.data[3].line.color == NEUTRAL
    assert tuple(figure.layout.yaxis.range) == (-1.02, 1.02)
