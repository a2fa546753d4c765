"""Every cause has its case, and the order of precedence is the documented one."""

import numpy as np
import pytest

from evaluation.many_photos.causes import CAUSES, FOUND, UNSURE, causes

RIGHT, ATTACKED, OTHER, REJECTED = 3, 7, 5, -1
NAN = float("nan")

# clean label, its probability, without the defense, what comes out, IoU, has an attack, has a defense
CASES = {
    "attack failed": [
        (RIGHT, 0.9, RIGHT, RIGHT, NAN, True, False),
        (RIGHT, 0.2, RIGHT, RIGHT, 0.0, True, True),
    ],
    "": [
        (RIGHT, 0.9, RIGHT, RIGHT, NAN, False, False),
        (RIGHT, 0.2, RIGHT, RIGHT, NAN, False, True),
        (RIGHT, 0.9, ATTACKED, RIGHT, 0.0, True, True),
        (OTHER, 0.1, OTHER, RIGHT, NAN, False, True),
    ],
    "wrong on the clean photo": [
        (OTHER, 0.1, OTHER, OTHER, NAN, False, False),
        (OTHER, 0.1, ATTACKED, REJECTED, 0.9, True, True),
        (OTHER, 0.1, RIGHT, OTHER, 0.9, True, True),
    ],
    "unsure on the clean photo": [
        (RIGHT, UNSURE - 0.01, RIGHT, OTHER, NAN, False, True),
        (RIGHT, UNSURE - 0.01, ATTACKED, ATTACKED, NAN, True, False),
        (RIGHT, UNSURE - 0.01, ATTACKED, REJECTED, 0.9, True, True),
    ],
    "rejected": [
        (RIGHT, UNSURE, RIGHT, REJECTED, NAN, False, True),
        (RIGHT, 0.9, RIGHT, REJECTED, NAN, True, True),
        (RIGHT, 0.9, ATTACKED, REJECTED, 0.0, True, True),
    ],
    "no defense": [(RIGHT, 0.9, ATTACKED, ATTACKED, NAN, True, False)],
    "object smoothed away": [
        (RIGHT, 0.9, RIGHT, OTHER, NAN, False, True),
        (RIGHT, 0.9, RIGHT, ATTACKED, 0.0, True, True),
        (RIGHT, 0.9, ATTACKED, OTHER, FOUND, True, True),
        (RIGHT, 0.9, ATTACKED, OTHER, NAN, True, True),
    ],
    "patch not found": [
        (RIGHT, 0.9, ATTACKED, ATTACKED, FOUND - 0.01, True, True),
        (RIGHT, 0.9, ATTACKED, OTHER, 0.0, True, True),
    ],
    "patch found but not removed": [(RIGHT, 0.9, ATTACKED, ATTACKED, FOUND, True, True)],
    "attack not removed": [(RIGHT, 0.9, ATTACKED, ATTACKED, NAN, True, True)],
}


def test_every_cause_has_a_case():
    assert set(CASES) == {"", *CAUSES}


@pytest.mark.parametrize("cause", CASES)
def test_each_case_alone(cause):
    for clean, sure, bare, out, iou, attacked, defended in CASES[cause]:
        found = causes(
            *map(np.array, (RIGHT, clean, sure, bare, out, iou)),
            attacked=np.array(attacked),
            defended=np.array(defended),
        )
        assert found == cause


def test_all_cases_at_once():
    expected = [cause for cause, cases in CASES.items() for _ in cases]
    columns = [
        np.array(column) for column in zip(*(case for cases in CASES.values() for case in cases), strict=True)
    ]
    found = causes(np.array(RIGHT), *columns[:5], attacked=columns[5], defended=columns[6])
    assert found.tolist() == expected


def test_rows_of_cells_and_photos():
    predicted = np.array([[RIGHT, OTHER], [RIGHT, REJECTED]])
    found = causes(
        np.array([RIGHT, RIGHT]),
        np.array([RIGHT, RIGHT]),
        np.array([0.9, 0.1]),
        np.array([[ATTACKED, OTHER], [ATTACKED, OTHER]]),
        predicted,
        np.full((2, 2), NAN),
        attacked=np.array([[True], [True]]),
        defended=np.array([[False], [True]]),
    )
    assert found.tolist() == [["", "unsure on the clean photo"]] * 2
