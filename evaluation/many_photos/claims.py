"""Claims about a run, and whether its figures bear them out: the bootstrap over its photos decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evaluation.many_photos.columns import OUTCOMES
from evaluation.many_photos.rows import Rows

Verdict = Literal["holds", "does not hold", "undecided"]
LEAST = 30
"""Photos with which a claim can be decided."""
_DRAWS = 2000
_AT_ONCE = 200
"""Resamples that are in memory together."""
_SEED = 0


@dataclass(frozen=True)
class Claim:
    """A sentence from a source with a number that is positive where it is true.

    Attributes:
        words: the sentence.
        value: that number on all photos.
        low, high: ends of its 95 % bootstrap interval.
        photos: how many there were.
        unit: of the three, "points" being percentage points.
        decimals: how many of them are told.
    """

    words: str
    value: float
    low: float
    high: float
    photos: int
    unit: str = "points"
    decimals: int = 1

    @property
    def verdict(self) -> Verdict:
        """It holds where the whole interval is positive, does not where all of it is negative.

        Under ``LEAST`` photos nothing is decided: the bootstrap of a few is too sure of itself.
        """
        if self.photos < LEAST:
            return "undecided"
        if self.low > 0:
            return "holds"
        return "does not hold" if self.high < 0 else "undecided"

    @property
    def figures(self) -> str:
        """The number with its interval and unit."""
        texts = [f"{number:+.{self.decimals}f}" for number in (self.value, self.low, self.high)]
        return f"{texts[0]} {self.unit} ({texts[1]} to {texts[2]})".replace("  ", " ")


class Cells:
    """The figures of a run by photo: (photos,) arrays in the same order for every cell.

    A photo that does not count in every cell, because it could not be used or already has an attack's label,
    is in none.
    """

    def __init__(self, rows: Rows) -> None:
        table = rows.table
        columns = {
            name: table[name].combine_chunks().to_numpy(zero_copy_only=False)
            for name in ("attack", "defense", "outcome", "cause", "number", "ssim", "milliseconds")
        }
        missing = np.unique(columns["number"][~np.isin(columns["outcome"], OUTCOMES)])
        used = ~np.isin(columns["number"], missing)
        self._columns = {name: values[used] for name, values in columns.items()}
        self.photos = len(np.unique(self._columns["number"]))

    def of(self, attack: str, defense: str, column: str) -> NDArray[np.generic]:
        """(photos,) a column of one cell.

        Raises:
            KeyError: the run has no such cell.
        """
        here = (self._columns["attack"] == attack) & (self._columns["defense"] == defense)
        if not here.any() and self.photos:
            raise KeyError((attack, defense))
        order = np.argsort(self._columns["number"][here], kind="stable")
        return self._columns[column][here][order]

    def right(self, attack: str, defense: str) -> NDArray[np.float64]:
        """(photos,) 1 where the label is right, else 0."""
        return (self.of(attack, defense, "outcome") == "right").astype(np.float64)

    def ssim(self, attack: str, defense: str) -> NDArray[np.float64]:
        """(photos,) likeness to the clean photo."""
        return self.of(attack, defense, "ssim").astype(np.float64)


def claim(
    words: str,
    figures: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    scale: float = 100,
    unit: str = "points",
    decimals: int = 1,
) -> Claim:
    """A claim from figures that are a mean over photos.

    Args:
        words: the sentence.
        figures: (S, photos) what each photo adds to each of S means.
        statistic: (N, S) means -> (N,) numbers, positive where the claim is true.
        scale: factor to the unit that is shown.
        unit: its name.
        decimals: that are shown.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife"; the percentile interval.

    Raises:
        ValueError: there is no photo.
    """
    photos = figures.shape[1]
    if not photos:
        raise ValueError("no claim can be looked at without photos")
    generator = np.random.default_rng(_SEED)
    resampled = []
    for _ in range(0, _DRAWS, _AT_ONCE):
        weights = generator.multinomial(photos, np.full(photos, 1 / photos), size=_AT_ONCE)
        resampled.append(statistic(weights @ figures.T / photos))
    low, high = np.quantile(np.concatenate(resampled), (0.025, 0.975))
    value = statistic(figures.mean(1)[None])[0]
    bounds = scale * float(low), scale * float(high)
    return Claim(words, scale * float(value), *bounds, photos, unit, decimals)


def first_minus_second(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) -> (N,)."""
    return means[:, 0] - means[:, 1]


def narrower(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much further the first half of the means lies apart than the second half: (N, 2 S) -> (N,)."""
    first, second = np.split(means, 2, axis=1)
    return np.ptp(first, axis=1) - np.ptp(second, axis=1)
