"""Timing in turn, by a clock that only moves when it is told to."""

import pytest

from bench.interleaved import Entrant, Quartiles, Row, race, ratio_of, rounds, too_slow


class Clock:
    """Stands still until something takes time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def takes(self, name: str, *seconds: float):
        """Work of that name; its n-th call takes the n-th of ``seconds``, later ones the last."""
        left = list(seconds)

        def work() -> None:
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_quartiles():
    assert Quartiles.of([4, 1, 3, 2, 5]) == Quartiles(2, 3, 4)
    assert Quartiles.of([7]) == Quartiles(7, 7, 7)


def test_all_take_turns_and_each_is_first_once(clock):
    entrants = [Entrant(name, clock.takes(name, 1)) for name in "abc"]
    seconds_of = rounds(entrants, clock, seconds=0)
    assert seconds_of == [[1, 1, 1]] * 3
    assert "".join(clock.calls) == "abc" + "abc" + "bca" + "cab"


def test_warming_up_does_not_count(clock):
    entrants = [Entrant("a", clock.takes("a", 50, 20, 10, 1))]
    assert rounds(entrants, clock, seconds=1000) == [[1] * 200]


def test_warming_up_ends_where_it_takes_long(clock):
    slow = Entrant("slow", clock.takes("slow", 9))
    assert rounds([slow], clock, seconds=10) == [[9, 9, 9]]
    assert len(clock.calls) == 4


def test_rounds_go_on_until_the_seconds_are_over(clock):
    assert rounds([Entrant("a", clock.takes("a", 2))], clock, seconds=11) == [[2] * 6]


def test_what_is_done_before_is_not_timed(clock):
    entrant = Entrant("a", clock.takes("a", 1), before=clock.takes("before", 5))
    assert rounds([entrant], clock, seconds=0) == [[1, 1, 1]]
    assert clock.calls == ["before", "a"] * 4


def test_a_ratio_is_that_of_one_round():
    """The machine was three times as slow in the second round, for both."""
    assert ratio_of([2, 6, 2], [1, 3, 1]) == Quartiles(2, 2, 2)
    assert ratio_of([2, 6, 2], None) is None


def test_a_row_for_each_in_their_order(clock):
    entrants = [
        Entrant("limit", clock.takes("limit", 1)),
        Entrant("ours", clock.takes("ours", 2), "evidence", ("limit", "all")),
        Entrant("ours", clock.takes("ours", 3), over=("nobody", "all")),
    ]
    limit, evidence, whole = race("part", "case", 4, entrants, clock, seconds=0)
    assert evidence == Row(
        "part",
        "case",
        4,
        "evidence",
        "ours",
        Quartiles(2000, 2000, 2000),
        Quartiles(2, 2, 2),
        "limit, all",
        3,
    )
    assert (limit.ratio, limit.over, limit.milliseconds.median) == (None, "", 1000)
    assert (whole.ratio, whole.over, whole.stage) == (None, "", "all")


def test_a_peer_that_would_take_too_long_is_named_before_it_is_tried(clock):
    def entrants():
        return [
            Entrant("ours", clock.takes("ours", 9), "transform"),
            Entrant("peer", clock.takes("peer", 2), "transform", optional=True),
            Entrant("quick", clock.takes("quick", 0.01), "transform", optional=True),
        ]

    before = race("part", "case", 2, entrants(), clock, seconds=0)
    assert too_slow(entrants(), before, 16, 5) == {"peer": "16 photos at once would take it 16 s"}
    assert too_slow(entrants(), [], 16, 5) == {}
