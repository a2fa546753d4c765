"""What a visit looks at: the photo with its classifier, and the attack on it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from attacks import Attack
from classifiers import Classifier
from defenses import Defense, Oblivious, Threat
from photos import Photo


@dataclass(frozen=True, eq=False)
class Scene:
    """What everything is done to: a photo at a working size, and the classifier that looks at it."""

    photo: Photo
    size: int
    classifier: Classifier

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All that decides what the classifier gets and says."""
        return self.photo.digest, self.size, self.classifier.identity, str(self.classifier.device)

    @cached_property
    def x(self) -> Tensor:
        """The photo as the classifier gets it: (1, 3, size, size) in [0, 1], on the classifier's device."""
        return self.photo.working(self.size, self.classifier.crop_share).to(self.classifier.device)


@dataclass(frozen=True, eq=False)
class Attempt:
    """An attack with its target, as the visitor has set it.

    Attributes:
        name: in the registry.
        attack: with its parameters.
        target: label to reach; None for a random one, or where the attack takes none.
        threat: what the attacker knows of the defense.
        against: the defense that they go through; None where they are oblivious.
    """

    name: str
    attack: Attack
    target: str | None
    threat: Threat = field(default_factory=Oblivious)
    against: Defense | None = None

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All that decides what the attack does."""
        return self.name, *self.attack.values().items(), self.target, self.threat, self.against

    @property
    def instant(self) -> bool:
        """Whether it costs no more than a look at the photo, so that it need not be asked for."""
        return not self.attack.iterative and not self.threat.knows
