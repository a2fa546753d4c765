import html
import re

from story.render import ATTACKED, CLEAN
from ui.defense.adversarial_score import gauge_html


def test_each_picture_has_its_bar_and_its_number():
    text = gauge_html([("Clean photo", 0.04, CLEAN), ("Attacked photo", 0.999, ATTACKED)], 0.9)
    words = html.unescape(re.sub(r"<[^>]*>", " ", text))
    assert "Clean photo 4 %" in " ".join(words.split())
    assert "Attacked photo – suspicious > 99 %" in " ".join(words.split())
    assert re.findall(r"width:(\d+\.\d\d)%", text) == ["4.00", "99.90"]
    assert re.findall(r"left:(\d+\.\d\d)%", text) == ["90.00", "90.00"]
    assert CLEAN in text
    assert ATTACKED in text


def test_titles_are_no_markup():
    assert "<b>" not in gauge_html([("<b>bold</b>", 0.5, CLEAN)], 0.9)
