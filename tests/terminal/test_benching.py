"""The command bench at the terminal door."""

import json

import pytest

from bench.interleaved import Quartiles, Row
from bench.parts import PARTS
from bench.setting import LeftOut
from cli import main
from terminal import benching

SMALL = ("--device", "cpu", "--quiet")


@pytest.fixture
def parts(monkeypatch):
    """Two parts that measure nothing; what they were given."""
    given = []

    def part(name):
        def measure(setting):
            given.append((name, setting))
            yield LeftOut(name, "kornia", "not installed")
            yield Row(name, "a case", 1, "all", "Unfool", Quartiles(1, 2, 3), None, "", 3)

        return measure

    monkeypatch.setattr(benching, "PARTS", {name: part(name) for name in ("first", "second")})
    return given


def test_all_parts_by_default_in_their_order(parts, capsys):
    assert main(["bench", *SMALL]) == 0
    said = capsys.readouterr().out
    assert [name for name, _ in parts] == ["first", "second"]
    assert said.index("## first") < said.index("## second") < said.index("* first: kornia is left out")
    assert parts[0][1].batches == (1, 16)
    assert parts[0][1].size == 224


def test_only_some_written_and_as_json(parts, capsys, tmp_path):
    out = tmp_path / "out"
    line = ["bench", *SMALL, "--only", "second", "--batch", "2", "4", "--size", "64", "--seconds", "0"]
    assert main([*line, "--json", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert json.loads(said) == json.loads((out / "bench.json").read_text(encoding="utf-8"))
    ((name, setting),) = parts
    assert (name, setting.batches, setting.size, setting.seconds) == ("second", (2, 4), 64, 0)
    assert "a case" in (out / "bench.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--only", "speed"], f"there is no part 'speed', only {', '.join(PARTS)}"),
        (["--size", "5"], "--size is 64 to 512 px, not 5"),
        (["--seconds", "-1"], "--seconds is 0 to 3600, not -1"),
        (["--batch", "4", "2"], "--batch are rising numbers of photos from 1 on, not 4 2"),
        (["--batch", "0"], "--batch are rising numbers of photos from 1 on, not 0"),
    ],
)
def test_bad_words_are_one_sentence(capsys, line, words):
    assert main(["bench", *SMALL, *line]) == 2
    assert capsys.readouterr().err == f"cli.py: {words}\n"
