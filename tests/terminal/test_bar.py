"""The progress bar: on stderr, silent when asked, never left open."""

from __future__ import annotations

import pytest

from terminal.bar import Bar


def test_it_draws_on_stderr_and_ends_on_the_last_state(capsys):
    with Bar("work", quiet=False) as bar:
        for done in range(1, 1001):
            bar.show(done, 1000, f"target {done}")
    out, err = capsys.readouterr()
    assert out == ""
    assert "work" in err
    last = err.rstrip("\n").split("\r")[-1]
    assert "1000/1000" in last
    assert "target 1000" in last
    assert err.count("\r") < 100


def test_quiet_is_silent(capsys):
    with Bar("work", quiet=True) as bar:
        bar.show(1, 2)
    assert capsys.readouterr() == ("", "")


def test_nothing_told_is_nothing_drawn(capsys):
    with Bar("work", quiet=False):
        pass
    assert capsys.readouterr() == ("", "")


def test_an_unknown_total(capsys):
    with Bar("downloading", quiet=False) as bar:
        bar.show(3, 0)
    assert "3it" in capsys.readouterr().err


def test_the_line_ends_also_when_the_work_breaks_off(capsys):
    with pytest.raises(KeyboardInterrupt), Bar("work", quiet=False) as bar:
        bar.show(1, 2)
        raise KeyboardInterrupt
    assert capsys.readouterr().err.endswith("\n")
