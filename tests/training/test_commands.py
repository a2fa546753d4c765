"""``python -m`` and nothing else starts a command, and ``--help`` tells what it does."""

import re
import runpy
from argparse import ArgumentParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("training", "experiments")
MAIN = 'if __name__ == "__main__"'
COMMANDS = [
    f"{folder}.{file.stem}"
    for folder in FOLDERS
    for file in sorted((ROOT / folder).glob("*.py"))
    if MAIN in file.read_text(encoding="utf-8")
]


def test_the_commands_that_are_known():
    assert {"training.train_classifier", "experiments.advfilter_tables"} <= {*COMMANDS}
    assert len(COMMANDS) >= 13


@pytest.fixture
def asked_for_help(monkeypatch, capsys):
    """What a command writes for ``--help``, and its parser; all in this process, for torch takes seconds."""

    def asked(command):
        parsers = []
        parse = ArgumentParser.parse_args
        monkeypatch.setattr(
            ArgumentParser, "parse_args", lambda self, *x: (parsers.append(self), parse(self, *x))[1]
        )
        monkeypatch.setattr("sys.argv", [command, "--help"])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as left:
            runpy.run_module(command, run_name="__main__")
        assert left.value.code == 0
        return capsys.readouterr().out, parsers[0]

    return asked


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_help_says_how_the_command_is_started(command, asked_for_help):
    text, parser = asked_for_help(command)
    assert re.search(rf"python -m {re.escape(command)}\b", text)
    if command.startswith("training.") or command == "experiments.patch_story":
        assert [action.dest for action in parser._actions if not action.help] == []


def test_no_command_bends_the_path_of_imports():
    for folder in FOLDERS:
        for file in (ROOT / folder).glob("*.py"):
            source = file.read_text(encoding="utf-8")
            assert "sys.path" not in source, file
            assert "noqa" not in source, file


def test_no_document_starts_a_command_by_its_file():
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"):
        text = file.read_text(encoding="utf-8")
        assert re.findall(rf"python3? (?:{'|'.join(FOLDERS)})/\S*", text) == [], file
