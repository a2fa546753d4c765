"""Attacks by the name that every door uses. A new one is a file here and a line below."""

from attacks.base import Attack, Cancelled, Goal, Report, Trace, story_of, succeeded
from attacks.fgsm import FGSM
from attacks.iterated_fgsm import IteratedFGSM
from attacks.labels import labels_for, random_target
from attacks.lavan import LaVAN
from attacks.noise import Noise
from attacks.pgd import PGD, PGDL2
from attacks.universal_patch import PATCHES, UniversalPatch

ATTACKS: dict[str, type[Attack]] = {
    "lavan": LaVAN,
    "pgd": PGD,
    "pgd-l2": PGDL2,
    "iterated-fgsm": IteratedFGSM,
    "fgsm": FGSM,
    "noise": Noise,
}
if PATCHES:
    ATTACKS = {"universal-patch": UniversalPatch, **ATTACKS}

__all__ = [
    "ATTACKS",
    "Attack",
    "Cancelled",
    "Goal",
    "Report",
    "Trace",
    "labels_for",
    "random_target",
    "story_of",
    "succeeded",
]
