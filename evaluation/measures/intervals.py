"""How sure a share is that was counted in a few trials."""

from __future__ import annotations

import math

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
