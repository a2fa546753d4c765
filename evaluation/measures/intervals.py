"""How sure a share is that was counted in a few trials, and a mean that was taken over a few photos."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

_Z = 1.959963984540054
"""Standard deviations on either side that hold 95 % of a normal distribution."""


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a probability of which ``hits`` of ``trials`` came true; (0, 1) without trials.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".

    Raises:
        ValueError: more hits than trials, or fewer than none.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"hits are 0 to the {trials} trials, not {hits}")
    if trials == 0:
        return 0.0, 1.0
    share, spread = hits / trials, _Z**2 / trials
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == trials else middle + half)


def mean_interval(values: Tensor) -> tuple[float, float, float]:
    """The mean of ``values`` (N,) and the ends of its 95 % interval, by the normal distribution.

    Raises:
        ValueError: fewer than two values, which have no spread.
    """
    if len(values) < 2:
        raise ValueError(f"an interval of a mean needs at least two values, not {len(values)}")
    exact = values.double()
    middle, half = exact.mean().item(), _Z * exact.std().item() / math.sqrt(len(values))
    return middle, middle - half, middle + half


@dataclass(frozen=True)
class Share:
    """How many of how many photos.

    Attributes:
        hits, of: photos.
        share: hits / of; None where there is no photo.
        low, high: ends of the 95 % interval.
    """

    hits: int
    of: int
    share: float | None
    low: float
    high: float

    @classmethod
    def counted(cls, hits: int, of: int) -> Share:
        """With Wilson's interval."""
        return cls(hits, of, hits / of if of else None, *wilson(hits, of))

    @property
    def or_zero(self) -> float:
        """``share``, and 0 where there is no photo."""
        return self.share or 0.0

    @property
    def percent(self) -> str:
        """In %, with the interval; "–" without a photo."""
        if self.share is None:
            return "–"
        return f"{100 * self.share:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f})"
