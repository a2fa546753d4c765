"""Why a defense did not give the right label: one word or phrase for each row of a run.

The first that holds is a row's cause:

* ``attack failed``: the label is right, and is so without the defense too.
* "": the label is right, though the attack fooled the bare classifier, or there was none.
* ``wrong on the clean photo``: the bare classifier gives the clean photo another label.
* ``unsure on the clean photo``: it gives the right one less than ``UNSURE``.
* ``rejected``: the defense accepts no label.
* ``no defense``: the attack fooled the bare classifier, and the row has no defense.
* ``object smoothed away``: without the defense the label is right.
* ``patch not found``: the defense's place (``Defense.finds``) and the attack's mask have an intersection over
  union under ``FOUND``.
* ``object smoothed away``, too: the label is neither the right one nor the one that the attack made.
* ``patch found but not removed``: the label is the one that the attack made.
* ``attack not removed``: the same, where the attack has no mask or the defense looks for no place.

Source: You-Wei and Sheng-De 2022, section 4.2, for the first two failures and the loss of the object; the
others are ours.
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
CAUSES = (
    ATTACK_FAILED,
    CLEAN_WRONG,
    UNSURE_CLEAN,
    REJECTED,
    NO_DEFENSE,
    SMOOTHED_AWAY,
    NOT_FOUND,
    NOT_REMOVED,
    STILL_ATTACKED,
)

Words = NDArray[np.str_]
Truths = NDArray[np.bool_]
Numbers = NDArray[Any]


def outcomes(label: Numbers, predicted: Numbers) -> Words:
    """``right``, ``wrong`` or ``rejected`` (``predicted`` below 0), of label numbers that broadcast."""
    return np.select([predicted < 0, predicted == label], ["rejected", "right"], "wrong")


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
