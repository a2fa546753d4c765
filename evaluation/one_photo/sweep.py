"""One parameter of a defense over its range, on one photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses import Defense
from evaluation.measures.metrics import ndcg, ssim
from explain import Memo, remembering
from story import Parameter, by_name
from story.param import Value

BATCH = 64
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

    The clean photo and the results of all values pass the classifier together; what does not hang on the
    parameter is worked out once.

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
    kept: list[Value] = []
    results: list[Tensor] = []
    rejected: list[bool] = []
    with torch.no_grad(), remembering(Memo(_MEMO_BYTES)):
        for value in values_over(parameter) if values is None else values:
            try:
                moved = type(defense)(**(defense.values() | {name: value}))
            except ValueError:  # such as an overlap that is longer than the block
                continue
            steps = moved.steps(x, classifier)
            decision = moved.decision(steps, classifier)
            kept.append(value)
            results.append(by_name(steps, "result").map)
            rejected.append(decision is not None and int(decision.labels[0]) < 0)
        pictures = torch.cat(results)
        asked = torch.cat([clean, pictures]).split(BATCH)
        expected, probabilities = torch.cat([classifier(part).softmax(1) for part in asked]).split(
            [1, len(pictures)]
        )
    return Sweep(
        parameter=parameter,
        values=tuple(kept),
        probabilities=probabilities,
        rejected=torch.tensor(rejected),
        ssim=tuple(ssim(clean, picture[None]) for picture in pictures),
        ndcg=tuple(ndcg(expected, probabilities).tolist()),
    )
