import pytest

from ui.attack.patch_library import covering_words


@pytest.mark.parametrize(
    ("share", "says"),
    [
        (0.0, "leaves free what speaks for the object"),
        (0.09, "leaves free what speaks for the object"),
        (0.1, "on a part"),
        (0.5, "covers the"),
    ],
)
def test_says_whether_it_covers_the_object(share, says):
    words = covering_words("cat", share, 0.1)
    assert says in words
    assert "On 10 % of the area" in words
    assert "“cat”" in words


def test_says_where_nothing_can_be_said():
    assert "cannot be said" in covering_words("cat", 0.0, 0.1, empty=True)
