"""One parameter of a defense over its range, on one photo."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses import Defense, defend_each
from evaluation.measures.metrics import ndcg, ssim
from explain import Memo, logits, remembering
from story import Parameter
from story.param import Value

_MEMO_BYTES = 128_000_000


@dataclass(frozen=True, eq=False)
class Sweep:
    """What comes out for every value.

    Attributes:
        parameter: the one that was moved.
        values: in the unit of the code; only those that go together with the defense's other parameters.
        probabilities: (N, labels) on the result.
        rejected: (N,) whether the defense accepts no label.
        ssim: of the result to the clean photo, for each value.
        ndcg: of the ranking on the result to that on the clean photo, for each value.
    """

    parameter: Parameter
    values: tuple[Value, ...]
    probabilities: Tensor
    rejected: Tensor
    ssim: tuple[float, ...]
    ndcg: tuple[float, ...]


def points(name: str, swept: Sweep, true: int, against: int | None) -> list[dict[str, Any]]:
    """A row for each value of what was swept, for a file.

    Args:
        name: of the defense.
        swept: what came out.
        true: number of the label on the clean photo.
        against: number of the label that the attack is for; None where there is none.
    """

    def share(number: int, label: int | None) -> float | None:
        return None if label is None else round(float(swept.probabilities[number, label]), 6)

    return [
        {
            "defense": name,
            "parameter": swept.parameter.name,
            "value": swept.parameter.show(value),
            "clean_label": share(number, true),
            "target": share(number, against),
            "ssim": round(swept.ssim[number], 6),
            "ndcg": round(swept.ndcg[number], 6),
            "rejected": bool(swept.rejected[number]),
        }
        for number, value in enumerate(swept.values)
    ]


def values_over(parameter: Parameter, most: int = 26) -> tuple[Value, ...]:
    """The whole range, at most ``most`` values on the parameter's own steps; every choice of a word."""
    if parameter.type is bool:
        return (False, True)
    if parameter.choices:
        return parameter.choices
    assert parameter.low is not None and parameter.high is not None
    step = parameter.step or 1
    stops = round((parameter.high - parameter.low) / step)
    count = min(stops + 1, most)
    places = [round(stops * number / max(1, count - 1)) for number in range(count)]
    exact = [min(parameter.low + place * step, parameter.high) for place in places]
    return tuple(parameter.check(int(value) if parameter.type is int else round(value, 9)) for value in exact)


def sweep(
    x: Tensor,
    clean: Tensor,
    classifier: Classifier,
    defense: Defense,
    name: str,
    values: Sequence[Value] | None = None,
) -> Sweep:
    """``defense`` on photo ``x`` (1, 3, H, W) with its parameter ``name`` at every value of its range.

    The results of all values pass the classifier together; what does not hang on the parameter is worked out
    once.

    Args:
        x: the photo that is defended, clean or attacked.
        clean: the clean photo, which the results are compared with.
        classifier: the classifier.
        defense: with all its other parameters.
        name: of the parameter.
        values: by default ``values_over`` its range.

    Raises:
        ValueError: no such parameter.
    """
    parameter = defense.parameter(name)
    moved = _moved(defense, name, values_over(parameter) if values is None else values)
    with torch.no_grad(), remembering(Memo(_MEMO_BYTES)):
        expected = logits(clean, classifier).softmax(1)
        outcomes = defend_each(list(moved.values()), x, classifier)
    probabilities = torch.cat([outcome.logits for outcome in outcomes]).softmax(1)
    return Sweep(
        parameter=parameter,
        values=tuple(moved),
        probabilities=probabilities,
        rejected=torch.cat([outcome.rejected for outcome in outcomes]).cpu(),
        ssim=tuple(ssim(clean, outcome.result) for outcome in outcomes),
        ndcg=tuple(ndcg(expected, probabilities).tolist()),
    )


def _moved(defense: Defense, name: str, values: Sequence[Value]) -> dict[Value, Defense]:
    """The defense at every value that goes together with its other parameters."""
    moved: dict[Value, Defense] = {}
    for value in values:
        # Such as an overlap that is longer than the block.
        with suppress(ValueError):
            moved[value] = type(defense)(**(defense.values() | {name: value}))
    return moved
