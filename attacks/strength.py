"""How strong an attack is where nobody says: as strong as one classifier needs it."""

from __future__ import annotations

from collections.abc import Mapping

from attacks.base import Attack
from attacks.iterated_fgsm import IteratedFGSM
from attacks.lavan import LaVAN
from story.param import Value

PATCH_GOAL = "patch goal"
"""What a classifier's strength calls it."""


def own_strength(attack: type[Attack], strength: Mapping[str, Value]) -> dict[str, Value]:
    """Those of a classifier's ``strength`` that ``attack`` takes, by parameter.

    ``strength`` was measured with iterated FGSM, so it holds for the parameters that an attack shares with
    it, in unit and range: the ε and the steps of its children, but no L2 norm and none of a patch's steps.
    Its "patch goal" is what LaVAN is after.

    Args:
        attack: a class of the registry.
        strength: ``classifiers.attack_strength``, by the name of the parameter.
    """
    measured_with = {parameter.name: parameter for parameter in IteratedFGSM.parameters()}
    own = {
        parameter.name: strength[parameter.name]
        for parameter in attack.parameters()
        if parameter.name in strength and parameter == measured_with.get(parameter.name)
    }
    if issubclass(attack, LaVAN) and PATCH_GOAL in strength:
        own[attack.goal_name] = strength[PATCH_GOAL]
    return own
