"""How long attacks take over the bare passes that they make, ours and those of other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from attacks import ATTACKS, Attack, labels_for
from attacks.iterated_fgsm import IteratedFGSM
from attacks.lavan import LaVAN
from attacks.pgd import PGD, PGDL2
from bench.attack_peers import peers_of
from bench.installed import MISSING, is_installed
from bench.interleaved import Entrant, race
from bench.passes import bare, passes_of
from bench.setting import Found, LeftOut, Setting, photographs
from classifiers.base import Classifier

PART = "attacks"
STEPS = 5
LIMIT = ("the bare passes", "all")
OURS = "Unfool"
KEEPING = "Unfool, iterates kept"
"""As the page Attack has it, which shows them."""


def cases(steps: int = STEPS) -> dict[str, Attack]:
    """The attacks that are measured, each with ``steps`` steps; those with a random start without it."""
    return {
        "fgsm": ATTACKS["fgsm"](),
        "iterated-fgsm": IteratedFGSM(iterations=steps),
        "pgd": PGD(iterations=steps, random_start=False),
        "pgd-l2": PGDL2(iterations=steps, random_start=False),
        "lavan": LaVAN(iterations=steps, stop_at=1.0),
    }


def attacking(setting: Setting, attacks: Mapping[str, Attack] | None = None) -> Iterator[Found]:
    """Rows of every attack at every batch, each time over the bare passes forward and back.

    ``attacks`` are those of ``cases()`` that are wanted; None for all.
    """
    model = setting.classifier
    for number, batch in enumerate(setting.batches):
        x = photographs(batch, model.working_size, setting.device)
        for name, attack in (cases() if attacks is None else attacks).items():
            entrants, missing = entrants_of(name, attack, x, model)
            if not number:
                yield from (LeftOut(PART, f"{peer} for {name}", MISSING) for peer in missing)
            yield from race(PART, name, batch, entrants, setting.clock, seconds=setting.seconds)


def entrants_of(name: str, attack: Attack, x: Tensor, model: Classifier) -> tuple[list[Entrant], list[str]]:
    """The limit, ours, ours with its iterates kept, the peers; and the peers that are not installed."""
    with torch.no_grad():
        y = labels_for(attack, model(x))

    def ours(frames: int) -> Tensor:
        return attack.run(x, y, model, frames=frames).attacked

    passes = passes_of(model, lambda: ours(0))
    entrants = [
        Entrant(LIMIT[0], bare(model, passes)),
        Entrant(OURS, lambda: ours(0), over=LIMIT),
        Entrant(KEEPING, lambda: ours(Attack.FRAMES), over=LIMIT),
    ]
    missing = []
    for peer, prepare in peers_of(name, attack, x, y, model).items():
        if is_installed(peer):
            entrants.append(Entrant(peer, prepare(), over=LIMIT))
        else:
            missing.append(peer)
    return entrants, missing
