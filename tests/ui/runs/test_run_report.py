"""The report needs nothing but itself, and shows words as words."""

import re

import plotly.graph_objects as go

from story.render import to_png
from ui.runs.report import report_html


def test_the_report(photo):
    evil = "<script>alert(1)</script>"
    text = report_html(
        evil,
        [("Photos", evil)],
        {"Right": [{"Defense": evil, "none": "50.0 (40 to 60)"}]},
        {"One": go.Figure(), "Two": go.Figure()},
        [(to_png(photo.pixels), evil), (None, "no photo")],
        "Photos",
    )
    assert evil not in text
    assert text.count("&lt;script&gt;alert(1)") == 5
    assert text.count("<figure>") == 2
    assert "patch not found" in text
    # The library is inside, once; nothing is fetched.
    assert 3e6 < len(text) < 7e6
    without_library = re.sub(r"<script[^>]*>.*?</script>", "", text, flags=re.S)
    assert without_library.count("data:image/png;base64,") == 1
    addresses = re.findall(r"\b(?:src|href)=['\"]?([^'\" >]*)", without_library)
    assert [address[:22] for address in addresses] == ["data:image/png;base64,"]
    assert not re.search(r"<script[^>]*\bsrc=", text)
