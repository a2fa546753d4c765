"""How long each defense takes, by stage, and what people would use instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from bench.defense_peers import Photographs, peers_of
from bench.installed import MISSING, is_installed
from bench.interleaved import Entrant, Row, Work, race, too_slow
from bench.setting import Found, LeftOut, Setting, photographs
from classifiers.base import Classifier
from defenses import DEFENSES, Defense, HeatAndBlur, Looking, PixelDeflection, SmoothingVote
from explain import Memo, logits, remembering

PART = "defenses"
OURS = "Unfool"
PASS = ("the classifier", "one pass")
"""What stages are told in."""
CASES: dict[str, tuple[str, Defense]] = {
    **{name: (name, cls()) for name, cls in DEFENSES.items()},
    "pixel-deflection, the paper's": ("pixel-deflection", PixelDeflection(deflections=1500)),
}
"""What a case is called -> the defense and its name in the registry."""
_MEMO_BYTES = 1 << 30


def defending(
    setting: Setting, cases: Mapping[str, tuple[str, Defense]] = MappingProxyType(CASES)
) -> Iterator[Found]:
    """Rows of every defense at every batch: its stages in classifier passes, its peers over its transform."""
    for case, (name, defense) in cases.items():
        before: list[Row] = []
        for batch in setting.batches:
            x = photographs(batch, setting.size, setting.device)
            entrants, missing = entrants_of(name, defense, Photographs(x, setting.classifier))
            if not before:
                yield from (LeftOut(PART, f"{peer} for {case}", MISSING) for peer in missing)
            if setting.hurried:
                entrants = [replace(entrant, optional=True) for entrant in entrants]
            slow = too_slow(entrants, before, batch, setting.longest)
            yield from (LeftOut(PART, f"{peer} for {case}", why) for peer, why in slow.items())
            kept = [entrant for entrant in entrants if entrant.by not in slow]
            before = race(PART, case, batch, kept, setting.clock, seconds=setting.seconds)
            yield from before


def entrants_of(name: str, defense: Defense, given: Photographs) -> tuple[list[Entrant], list[str]]:
    """One pass of the classifier, the defense's stages, its peers; and those that are not installed.

    A defense that asks the classifier nothing has no stage but its transform.
    """
    x, model = given.x, given.classifier
    evidence, transform = stages_of(defense, x, model)
    entrants = [Entrant(PASS[0], _quietly(lambda: model(x)), PASS[1])]
    entrants.append(Entrant(OURS, _quietly(transform), "transform", PASS))
    if evidence is not None:
        entrants.append(Entrant(OURS, _quietly(evidence), "evidence", PASS))
        entrants.append(Entrant(OURS, _quietly(lambda: defense(x, model)), "all", PASS))
    missing = []
    for peer, prepare in peers_of(name, defense, given).items():
        if is_installed(peer):
            entrants.append(
                Entrant(peer, _quietly(prepare()), "transform", (OURS, "transform"), optional=True)
            )
        else:
            missing.append(peer)
    return entrants, missing


def stages_of(defense: Defense, x: Tensor, model: Classifier) -> tuple[Work | None, Work]:
    """What asks the classifier (None where nothing does), and all that is left when its answer is known."""
    memo = _Answered(_MEMO_BYTES)

    def transform() -> Tensor:
        with remembering(memo):
            return defense(x, model)

    match defense:
        case PixelDeflection():
            return lambda: defense.spared(x, model), transform
        case HeatAndBlur():
            return lambda: defense.relevance(x, model), transform
        case SmoothingVote():
            return lambda: [logits(x, model) for _ in range(defense.rounds + 1)], transform
        case Looking():
            return lambda: defense.look(x, model), transform
    return None, transform


class _Answered(Memo):
    """A memory to which every photo is the first one that it was asked about: an answer costs nothing."""

    def mark(self, x: Tensor) -> tuple[Any, ...]:
        """Its shape alone."""
        return (tuple(x.shape),)


def _quietly(work: Work) -> Work:
    """``work`` without a graph, as the doors have it."""

    def quiet() -> object:
        with torch.no_grad():
            return work()

    return quiet
