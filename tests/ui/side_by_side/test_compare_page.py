"""The pages that set defenses side by side, and the vote, without a browser."""

import csv
import io
import re
import time

import pytest
import torch
from streamlit.testing.v1 import AppTest

from defenses import DEFENSES, LGS, SmoothingVote
from evaluation.one_photo.story import run_story
from evaluation.one_photo.sweep import sweep
from tests.defenses.contrast import contrast_classifier
from tests.ui.visiting import SCRIPT, page_file
from ui.frame.pages import PAGE_OF
from ui.frame.verdict import stages, tally_html, verdict_html
from ui.side_by_side.sweep import numbers


def page(name: str, **query) -> AppTest:
    app = AppTest.from_file(SCRIPT, default_timeout=240)
    app.query_params.update({"attack": "noise"} | query)
    app = app.switch_page(page_file(name)).run()
    assert not app.exception
    assert not app.error
    return app


def settled(app: AppTest) -> AppTest:
    """The page of comparisons once its background work is done."""
    for _ in range(120):
        if any(box.key == "compare_left" for box in app.selectbox):
            return app
        time.sleep(1)
        app.run()
    raise AssertionError("the comparison did not end")


def test_compare_has_a_row_for_every_defense():
    app = settled(page("compare"))
    table = app.dataframe[0].value
    assert list(table["title"]) == ["no defense", *(cls.title for cls in DEFENSES.values())]
    for column in ("clean", "attacked"):
        assert all(re.match(r"[✓✗–~] \S", cell) for cell in table[column])
        assert table[f"{column}_true"].between(0, 100).all()
        assert table[f"{column}_true"].max() > 1
        assert table[f"{column}_ssim"].between(-1, 1).all()
        assert table[f"{column}_ndcg"].between(0, 1).all()
    assert table["clean_ndcg"][0] == 1
    assert table["attacked_picture"].str.startswith("data:image/png;base64,").all()
    assert [box.label for box in app.selectbox if box.key and box.key.startswith("compare")] == [
        "Left",
        "Right",
    ]


def test_every_defense_has_a_page():
    assert PAGE_OF.keys() == DEFENSES.keys()
    assert all(file.exists() for file in PAGE_OF.values())


@pytest.mark.parametrize("name", sorted(name for name, file in PAGE_OF.items() if "classic" in file.name))
def test_each_classic_filter_tells_its_story(name):
    app = page("classic_filters", defense=name)
    assert any(DEFENSES[name].title in caption.value for caption in app.caption)


def test_sweep_draws_what_the_defenses_have_in_common():
    app = page("sweep", defense="lgs")
    assert "threshold" in app.selectbox(key="sweep_parameter").options[1].lower()
    assert len(app.get("plotly_chart")) == 1
    app.multiselect(key="sweep_defenses").set_value(["jpeg", "median"]).run()
    assert any("no parameter in common" in text.value for text in app.markdown)
    app.multiselect(key="sweep_defenses").set_value([]).run()
    assert "Choose at least one" in app.info[0].value


def test_the_numbers_of_a_sweep(photos, tiny_classifier):
    found = {"lgs": sweep(photos[1:2], photos[:1], tiny_classifier, LGS(threshold=0.0), "lam")}
    rows = list(csv.DictReader(io.StringIO(numbers(found, 0, 2))))
    assert len(rows) == 26
    assert rows[0] | {"clean_label": "", "attack_label": "", "ssim": "", "ndcg": ""} == {
        "defense": "lgs",
        "parameter": "lam",
        "value": "0",
        "clean_label": "",
        "attack_label": "",
        "ssim": "",
        "ndcg": "",
        "rejected": "no",
    }
    assert [float(row["ndcg"]) for row in rows] == pytest.approx(found["lgs"].ndcg, abs=1e-6)
    for row, probabilities in zip(rows, found["lgs"].probabilities, strict=True):
        assert float(row["clean_label"]) == pytest.approx(float(probabilities[0]), abs=1e-6)
        assert float(row["attack_label"]) == pytest.approx(float(probabilities[2]), abs=1e-6)


def test_the_vote_is_counted_on_its_page():
    app = page("smoothing_vote")
    html = "".join(part.proto.body for part in app.get("html"))
    assert html.count("<li><span>") == 3
    assert "blurred twice" in html
    assert ("accepted: " in html) or ("rejected: " in html)


class TestVerdictOnAVote:
    def story(self, low, high):
        x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        steps = SmoothingVote().steps(x, contrast_classifier(0, 1))
        busy = [float((step.map[..., 1:] - step.map[..., :-1]).abs().mean()) for step in steps[:3]]
        model = contrast_classifier(
            busy[2] / 2 if low is None else (busy[1] + busy[2]) / 2,
            1.0 if high is None else (busy[0] + busy[1]) / 2,
        )
        return run_story(x, model, defense=SmoothingVote())

    def test_a_rejection_is_neither_good_nor_bad(self):
        story = self.story(1, 1)
        assert story.restored is False
        assert story.defended.outcome == "rejected"
        last = stages(story)[-1]
        assert (last.effect, last.good, last.probability) == ("rejected", None, None)
        assert last.label == "noisy · rough · flat"
        assert "unfool-open" in verdict_html(stages(story))
        assert "rejected: no label has enough votes" in tally_html(story)

    def test_an_accepted_label_is_judged_like_any_other(self):
        story = self.story(None, None)
        assert story.defended.outcome == "accepted"
        assert stages(story)[-1].effect == "kept"
        assert "accepted: rough" in tally_html(story)
