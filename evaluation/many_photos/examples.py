"""Which attack each defense undoes: measured over many photos, with an example of the gallery for its page.

``experiments.examples`` measures and writes the file; pages and the terminal only read it. In it each
classifier has its rungs, attacks at one strength, with what every defense makes of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from attacks import ATTACKS, Attack
from attacks.placement import PatchAttack
from defenses import DEFENSES
from evaluation.measures.intervals import Share
from evaluation.one_photo.report import method_of

FILE = Path(__file__).parents[2] / "assets" / "examples.json"
SURE = 0.5
"""Probability from which a label counts as surely said, by the attacked photo and by the defended one."""
FAIR = 0.25
"""Share of the photos on which a defense undoes the attack of its example, if there is such an attack."""


@dataclass(frozen=True)
class GalleryTrial:
    """A photo of the gallery under one attack.

    Attributes:
        name: of the photo.
        label: what the classifier says of it as it is.
        attacked_label: what it says of it attacked.
        attacked: probability of ``attacked_label``.
        defended: name of a defense -> probability of ``label`` behind it, where ``label`` comes out; else
            minus the probability of what comes out instead.
    """

    name: str
    label: str
    attacked_label: str
    attacked: float
    defended: Mapping[str, float]

    @property
    def fooled(self) -> bool:
        """Whether the attack surely fools the classifier."""
        return self.attacked_label != self.label and self.attacked >= SURE

    def undone_by(self, defense: str) -> bool:
        """Whether ``defense`` surely brings the label back."""
        return self.fooled and self.defended[defense] >= SURE


@dataclass(frozen=True, eq=False)
class Rung:
    """An attack at one strength, and what became of it.

    Attributes:
        name: of the attack in the registry.
        attack: the attack.
        fooled: photos that the classifier gets right, and of them those that it gets wrong under the attack.
        surely: of the same photos those that it then gets wrong with a probability of at least ``SURE``.
        right: name of a defense -> of all photos those that are right behind it, under the attack.
        undone: name of a defense -> of those that were surely fooled, those surely right behind it.
        gallery: the photos of the gallery.
    """

    name: str
    attack: Attack
    fooled: Share
    surely: Share
    right: Mapping[str, Share]
    undone: Mapping[str, Share]
    gallery: Sequence[GalleryTrial]

    @property
    def kind(self) -> str:
        """What defenses call it in ``Defense.against``."""
        return kind_of(self.attack)

    @property
    def strength(self) -> float:
        """What tells rungs of the same attack apart: share of the photo, or the most that a pixel changes."""
        return self.attack.strength

    def best(self) -> str:
        """Name of the defense that is most often right."""
        return max(self.right, key=lambda name: self.right[name].hits)


@dataclass(frozen=True, eq=False)
class Example:
    """A photo and an attack that show a defense at work.

    Attributes:
        rung: the attack.
        trial: what became of the photo.
        undone: on how many photos the defense undoes it as surely.
        fails_on: photos of the gallery that this attack fools as surely and that stay fooled behind it.
    """

    rung: Rung
    trial: GalleryTrial
    undone: Share
    fails_on: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trials:
    """All that was measured on one classifier.

    Attributes:
        rungs: of each attack the strongest first.
        source: which photos.
        command: by which they were measured.
    """

    rungs: Sequence[Rung]
    source: str
    command: str

    def example(self, defense: str) -> Example | None:
        """An attack of the kind that ``defense`` was made for, and a photo on which it surely undoes it.

        The strongest attack that it undoes on at least a share ``FAIR`` of the photos, so that the example is
        no stroke of luck; where there is none, the one that it undoes most often. Of several photos the one
        with the widest margin, the smaller of both probabilities. None where the defense surely undoes no
        attack on any photo of the gallery.
        """
        shown = [
            rung for rung in self.tried(defense) if any(trial.undone_by(defense) for trial in rung.gallery)
        ]
        if not shown:
            return None
        fair = [rung for rung in shown if rung.undone[defense].or_zero >= FAIR]
        rung = fair[0] if fair else max(shown, key=lambda one: one.undone[defense].or_zero)
        undone = [trial for trial in rung.gallery if trial.undone_by(defense)]
        best = max(undone, key=lambda trial: min(trial.attacked, trial.defended[defense]))
        fails_on = tuple(
            trial.name for trial in rung.gallery if trial.fooled and not trial.undone_by(defense)
        )
        return Example(rung, best, rung.undone[defense], fails_on)

    def tried(self, defense: str) -> list[Rung]:
        """The attacks of the kind that ``defense`` was made for; none where it was not there yet."""
        kind = DEFENSES[defense].against
        return [rung for rung in self.rungs if rung.kind == kind and defense in rung.undone]

    def nearest(self, attack: Attack) -> Rung | None:
        """The rung of the same attack, for the same goal, whose strength is nearest; None if there is none.

        Strengths are as near as their ratio. A ready-made patch is only like itself.
        """
        alike = [
            rung
            for rung in self.rungs
            if type(rung.attack).title == type(attack).title
            and rung.attack.aim == attack.aim
            and rung.attack.target_label == attack.target_label
        ]
        strength = attack.strength
        if strength <= 0:
            return None
        return min(alike, key=lambda rung: abs(math.log(rung.strength / strength)), default=None)


def kind_of(attack: Attack) -> str:
    """What ``Defense.against`` calls it: "patches" or "small changes"."""
    return "patches" if isinstance(attack, PatchAttack) else "small changes"


def read_trials(classifier: str, identity: str, file: Path = FILE) -> Trials | None:
    """What was measured on the classifier of that name and identity; None where nothing was."""
    return _read(classifier, identity, file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache(maxsize=8)
def _read(classifier: str, identity: str, file: Path, changed: int) -> Trials | None:
    """As ``read_trials``; read once, as long as the file stays as it is."""
    del changed
    facts = json.loads(file.read_text(encoding="utf-8")).get(classifier)
    return trials_of(facts) if facts is not None and facts["identity"] == identity else None


def trials_of(facts: Mapping[str, Any]) -> Trials:
    """The trials that ``experiments.examples`` wrote down of one classifier.

    Raises:
        ValueError: an attack that is not there, or with such parameters.
    """
    rungs = [_rung(one) for one in facts["rungs"]]
    return Trials(rungs, facts["source"], facts["command"])


def _rung(facts: Mapping[str, Any]) -> Rung:
    photos, surely = facts["photos"], facts["surely"]
    return Rung(
        facts["attack"]["name"],
        method_of(facts["attack"], ATTACKS),
        Share.counted(facts["fooled"], photos),
        Share.counted(surely, photos),
        {name: Share.counted(one["right"], photos) for name, one in facts["defenses"].items()},
        {name: Share.counted(one["undone"], surely) for name, one in facts["defenses"].items()},
        [GalleryTrial(**one) for one in facts["gallery"]],
    )
