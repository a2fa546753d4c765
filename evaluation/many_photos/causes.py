"""Why a defense did not give the right label: one word or phrase for each row of a run, see ``MEANINGS``.

Source: You-Wei and Sheng-De 2022, section 4.2, for the first two failures and the loss of the object; the
others, and both bounds, are ours. The bounds are round numbers that seemed sensible, not measured ones; every
run keeps those that it was made with, and rows hold the figures themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

UNSURE = 0.5
"""Probability of the right label on the clean photo."""
FOUND = 0.2
"""Intersection over union of where the defense looks and where the patch is."""

ATTACK_FAILED = "attack failed"
CLEAN_WRONG = "wrong on the clean photo"
UNSURE_CLEAN = "unsure on the clean photo"
REJECTED = "rejected"
NO_DEFENSE = "no defense"
SMOOTHED_AWAY = "object smoothed away"
NOT_FOUND = "patch not found"
NOT_REMOVED = "patch found but not removed"
STILL_ATTACKED = "attack not removed"
MEANINGS = {
    ATTACK_FAILED: "The label is right, and is so without the defense too.",
    CLEAN_WRONG: "The bare classifier gives the clean photo another label.",
    UNSURE_CLEAN: f"It gives the right label of the clean photo less than {100 * UNSURE:g} %.",
    REJECTED: "The defense accepts no label.",
    NO_DEFENSE: "The attack fooled the bare classifier, and there is no defense.",
    SMOOTHED_AWAY: "Without the defense the label is right; or the label is neither the right one nor the "
    "attack's.",
    NOT_FOUND: f"Where the defense looks and where the patch is overlap by less than {100 * FOUND:g} % "
    "(intersection over union).",
    NOT_REMOVED: "They overlap by more, and the label is still the one that the attack made.",
    STILL_ATTACKED: "The same label, where the attack has no patch or the defense looks for no place.",
}
"""Cause -> when it is one, in the order in which they are asked; the first that holds counts.

A row has none ("") where the label is right though the attack fooled the bare classifier, or where there was
no attack. ``object smoothed away`` is asked twice: before the patch where the label is right without the
defense, and after ``patch not found`` where a third label comes out.
"""
CAUSES = tuple(MEANINGS)

Words = NDArray[np.str_]
Truths = NDArray[np.bool_]
Numbers = NDArray[Any]


def causes(
    label: Numbers,
    clean: Numbers,
    clean_probability: Numbers,
    bare: Numbers,
    predicted: Numbers,
    iou: Numbers,
    *,
    attacked: Truths,
    defended: Truths,
) -> Words:
    """The cause of every row, "" where there is nothing to explain; all arguments broadcast to one shape.

    Args:
        label: number of the right label.
        clean: the classifier's on the clean photo, without a defense.
        clean_probability: of the right label there.
        bare: the classifier's on the same picture, attacked or not, without a defense.
        predicted: what comes out; below 0 where the defense rejects the photo.
        iou: of the defense's place and the attack's mask; NaN where one of them does not exist.
        attacked: whether the row has an attack.
        defended: whether it has a defense.
    """
    right = predicted == label
    conditions = [
        right & attacked & (bare == label),
        right,
        clean != label,
        clean_probability < UNSURE,
        predicted < 0,
        ~defended,
        bare == label,
        iou < FOUND,
        predicted != bare,
        iou >= FOUND,
    ]
    words = [
        ATTACK_FAILED,
        "",
        CLEAN_WRONG,
        UNSURE_CLEAN,
        REJECTED,
        NO_DEFENSE,
        SMOOTHED_AWAY,
        NOT_FOUND,
        SMOOTHED_AWAY,
        NOT_REMOVED,
    ]
    return np.select(np.broadcast_arrays(*conditions), words, STILL_ATTACKED)
