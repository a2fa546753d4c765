import pytest

from classifiers.base import ClassifierError
from classifiers.labels import read_labels


@pytest.mark.parametrize(
    "data",
    [
        b"ant\nbee\nsea cow\n",
        b"\xef\xbb\xbfant\r\nbee\r\nsea cow\r\n\r\n",
        b'["ant", "bee", "sea cow"]',
        b' [\n"ant",\n" bee",\n"sea cow"\n]\n',
    ],
)
def test_lines_and_json(data, tmp_path):
    assert read_labels(data) == ("ant", "bee", "sea cow")
    (tmp_path / "labels").write_bytes(data)
    assert read_labels(tmp_path / "labels") == ("ant", "bee", "sea cow")


def test_a_line_may_begin_with_a_bracket():
    assert read_labels(b"[unknown]\nbee") == ("[unknown]", "bee")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "at least two labels"),
        (b"ant", "at least two labels"),
        (b"ant\n\nbee", "number 2"),
        (b"ant\nbe\x07e", "number 2"),
        (b"ant\n" + b"e" * 201, "number 2"),
        (b"ant\nbee\nant", "'ant' more than once"),
        (b"\xff\xfe\x00", "no UTF-8 text"),
        (b'{"0": "ant"}', "no JSON list of words"),
        (b"[1, 2]", "no JSON list of words"),
        (b"[ant, bee]", "no JSON list of words"),
        (b"[" * 100_000 + b"]" * 100_000, "no JSON list of words"),
        (b"x\n" * 600_000, "at most 1 MB"),
    ],
)
def test_refusals_are_one_sentence(data, sentence):
    with pytest.raises(ClassifierError) as raised:
        read_labels(data)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("The label file")


def test_a_missing_file(tmp_path):
    with pytest.raises(ClassifierError, match="The label file cannot be read"):
        read_labels(tmp_path / "labels.txt")
