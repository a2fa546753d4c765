"""Things that are timed in turn: what disturbs the machine for a while disturbs all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Work = Callable[[], object]
Clock = Callable[[], float]
"""Seconds, read when all that was asked of the device is done."""


def _nothing() -> None:
    """Before most calls."""


_WARM_UP = 3
_WARM_SHARE = 0.25
"""Of the seconds that are there, spent on warming up before the first round that counts at the latest."""


@dataclass(frozen=True)
class Quartiles:
    """The middle half of some numbers, and the one in the middle."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Quartiles:
        """Of one number that number thrice."""
        if len(numbers) == 1:
            return cls(numbers[0], numbers[0], numbers[0])
        return cls(*statistics.quantiles(numbers, n=4, method="inclusive"))


@dataclass(frozen=True)
class Entrant:
    """One of the things that are timed in turn.

    Attributes:
        by: who does it: "Unfool", a peer's name, or the name of a limit.
        work: what is timed.
        stage: which part of the way it is; "all" for the whole.
        over: ``by`` and ``stage`` of the entrant whose time its own is divided by; None for no ratio.
        optional: whether it is left out where it takes too long.
        before: what is done before each call, and not timed.
    """

    by: str
    work: Work
    stage: str = "all"
    over: tuple[str, str] | None = None
    optional: bool = False
    before: Work = _nothing

    @property
    def key(self) -> tuple[str, str]:
        """What ``over`` names."""
        return self.by, self.stage


@dataclass(frozen=True)
class Row:
    """One entrant's times.

    Attributes:
        part, case: what was done.
        batch: photos that it was done to at once.
        stage, by: of the entrant.
        milliseconds: of one call.
        ratio: of its time to that of ``over`` in the same round; None where there is none to compare with.
        over: "by, stage" of that other entrant; "" for none.
        repeats: rounds that counted.
        bytes: that were sent; None where nothing is sent.
    """

    part: str
    case: str
    batch: int
    stage: str
    by: str
    milliseconds: Quartiles
    ratio: Quartiles | None
    over: str
    repeats: int
    bytes: int | None = None

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def rounds(
    entrants: Sequence[Entrant], clock: Clock, *, seconds: float, least: int = 3, most: int = 200
) -> list[list[float]]:
    """Seconds of each of ``entrants`` in every round.

    A round calls each once; the first of the next is the second of this, so that none always follows the
    same. There are rounds until ``seconds`` are over, at least ``least`` and at most ``most``; up to three
    before them warm up and don't count.
    """
    seconds_of: list[list[float]] = [[] for _ in entrants]
    began = clock()
    for number in range(_WARM_UP):
        if number and clock() - began > _WARM_SHARE * seconds:
            break
        for entrant in entrants:
            entrant.before()
            entrant.work()
    began = clock()
    for number in range(most):
        if number >= least and clock() - began > seconds:
            break
        for turn in range(len(entrants)):
            which = (number + turn) % len(entrants)
            entrants[which].before()
            start = clock()
            entrants[which].work()
            seconds_of[which].append(clock() - start)
    return seconds_of


def race(
    part: str,
    case: str,
    batch: int,
    entrants: Sequence[Entrant],
    clock: Clock = time.perf_counter,
    *,
    seconds: float,
) -> list[Row]:
    """A row for each of ``entrants``, in their order; arguments as of ``Row`` and ``rounds``."""
    seconds_of = rounds(entrants, clock, seconds=seconds)
    times = {entrant.key: own for entrant, own in zip(entrants, seconds_of, strict=True)}
    return [
        Row(
            part,
            case,
            batch,
            entrant.stage,
            entrant.by,
            Quartiles.of([1000 * second for second in times[entrant.key]]),
            ratio_of(times[entrant.key], times.get(entrant.over) if entrant.over else None),
            ", ".join(entrant.over) if entrant.over in times else "",
            len(times[entrant.key]),
        )
        for entrant in entrants
    ]


def ratio_of(times: Sequence[float], others: Sequence[float] | None) -> Quartiles | None:
    """Quartiles of the ratios round by round; a slow minute is in both times and goes out of them."""
    if others is None:
        return None
    return Quartiles.of([mine / other for mine, other in zip(times, others, strict=True)])


def too_slow(
    entrants: Sequence[Entrant], before: Sequence[Row], batch: int, longest: float
) -> dict[str, str]:
    """Which of the optional entrants would take over ``longest`` seconds for ``batch`` photos, and how long.

    Judged by ``before``, rows of the same case at a smaller batch.
    """
    rates = {(row.by, row.stage): row.milliseconds.median / 1000 / row.batch for row in before}
    expected = {
        entrant.by: batch * rates[entrant.key]
        for entrant in entrants
        if entrant.optional and entrant.key in rates
    }
    return {
        by: f"{batch} photos at once would take it {took:.0f} s"
        for by, took in expected.items()
        if took > longest
    }
