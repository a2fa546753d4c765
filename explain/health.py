"""What was measured of a map in front of a classifier: whether it says anything, and something true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from classifiers.base import Classifier

DELETED = 0.3
"""Share of a photo's places that are blurred away, the hottest or the coldest of a map."""
MOST_CONSTANT = 0.02
"""Share of photos on which a sound map may be the same everywhere."""


@dataclass(frozen=True)
class MapHealth:
    """How a map did on photos, by the deletion test: what blurring away its hottest and coldest places costs.

    Attributes:
        photos: how many.
        constant: share of them on which the map is the same everywhere.
        empty: share of them on which it is 0 everywhere.
        hottest: share of the predicted label's probability, over all photos, that is left where the hottest
            ``DELETED`` of the places are blurred away.
        coldest: the same of the coldest.
        gap: how much more probability the hottest places cost than the coldest, the mean over the photos.
        low: the lower end of its 95 % interval.
        high: the upper end.
    """

    photos: int
    constant: float
    empty: float
    hottest: float
    coldest: float
    gap: float
    low: float
    high: float

    @property
    def varies(self) -> bool:
        """Whether it is the same everywhere on hardly any photo."""
        return self.constant <= MOST_CONSTANT

    @property
    def faithful(self) -> bool:
        """Whether its hottest places cost more probability than its coldest, beyond chance."""
        return self.low > 0

    @property
    def doubt(self) -> str:
        """What speaks against the map, in a sentence; empty where nothing does."""
        if not self.varies:
            return (
                f"Doubtful for this classifier: on {_percent(self.constant)} of {self.photos} photos this "
                "map is the same everywhere."
            )
        if not self.faithful:
            return (
                f"Doubtful for this classifier: on {self.photos} photos, blurring this map's hottest "
                f"{_percent(DELETED)} did not measurably cost more probability than its coldest "
                f"{_percent(DELETED)}."
            )
        return ""

    def facts(self) -> dict[str, Any]:
        """As it stands on a classifier's card."""
        return {
            name: value if isinstance(value, int) else round(value, 4) for name, value in asdict(self).items()
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> MapHealth:
        """From what ``facts`` wrote."""
        return cls(**facts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def doubt(name: str, model: Classifier) -> str:
    """Why the map ``name`` of ``explain.every_map`` should not be trusted in front of ``model``; else empty.

    By the figures on the classifier's card; where nobody has measured them, nothing is said.
    """
    facts = model.map_health.get(name)
    return "" if facts is None else MapHealth.of(facts).doubt
