"""A batch of photos through every attack and every defense: what the rows of a run are made of."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.base import Attack, labels_for
from classifiers.base import Classifier
from defenses import THREATS, Defense, Oblivious, Threat
from evaluation.measures.metrics import iou, ndcg, psnr_each, ssim_each
from evaluation.measures.timing import now
from evaluation.one_photo.story import built_in_target
from explain import PassingMemo, remembering
from story import Step, by_name

NONE = "none"
"""The name of no attack, and of no defense."""
_MEMO_BYTES = 1_000_000_000

Columns = dict[str, NDArray[Any]]
"""Name -> (cells, B), the cells in the order of ``Plan.cells``."""


@dataclass(frozen=True)
class Plan:
    """What is done with every photo.

    Attributes:
        attacks, defenses: by the names in the rows, in their order; none of them called ``none``.
        target: number of the label that attacks shall reach; None for another one at random for each photo.
        seed: of these.
        threats: what the attacker knows, by name of an attack; nothing of the defense where it has no entry.
    """

    attacks: Mapping[str, Attack]
    defenses: Mapping[str, Defense]
    target: int | None = None
    seed: int = 0
    threats: Mapping[str, Threat] = field(default_factory=dict)

    @classmethod
    def under(
        cls,
        threats: Mapping[str, Threat],
        attacks: Mapping[str, Attack],
        defenses: Mapping[str, Defense],
        target: int | None = None,
        seed: int = 0,
    ) -> Plan:
        """Every attack under each of ``threats``; the name of one who knows is ``attack/threat``.

        An attack that asks for no gradient has no use for what it knows, and is made once.
        """
        every: dict[str, Attack] = {}
        knowing: dict[str, Threat] = {}
        for name, attack in attacks.items():
            for word, threat in threats.items():
                if not threat.knows or attack.targeted == "none":
                    every[name] = attack
                else:
                    every[f"{name}/{word}"] = attack
                    knowing[f"{name}/{word}"] = threat
        return cls(every, defenses, target, seed, knowing)

    def knowledge(self, attack: str) -> str:
        """What the attacker of the rows named ``attack`` knows, of ``THREATS``; "" without an attack."""
        if attack == NONE:
            return ""
        kinds = {cls: name for name, cls in THREATS.items()}
        return kinds[type(self.threats.get(attack, Oblivious()))]

    @property
    def cells(self) -> list[tuple[str, str]]:
        """(attack, defense) of every row of a photo; the first is the clean photo as it is."""
        return [(attack, defense) for attack in (NONE, *self.attacks) for defense in (NONE, *self.defenses)]


def random_target(file: str, label: int, labels: int, seed: int) -> int:
    """One of ``labels`` labels that is not ``label``, fixed by ``seed`` and the photo's name alone."""
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:{file}".encode("utf-8", "surrogateescape")).digest())
    other = drawn % max(labels - 1, 1)
    return (other + (other >= label)) % labels


@torch.no_grad()
def measure(
    x: Tensor,
    label: NDArray[np.int64],
    files: Sequence[str],
    classifier: Classifier,
    plan: Plan,
    pause: Callable[[], None] | None = None,
) -> Columns:
    """Every attack on photos ``x`` (B, 3, H, W), and every defense behind it.

    Args:
        x: in [0, 1], on the classifier's device.
        label: (B,) numbers of the right labels.
        files: B names, which fix the random targets.
        classifier: attacked, alone or together with a defense, and asked for the verdicts.
        plan: the methods.
        pause: called after every iteration of an attack; what it raises ends it all.

    Returns:
        ``predicted`` number of the label that comes out, -1 where it is rejected; ``probability`` of it, or
        of the likeliest where it is rejected; ``label_probability`` of the right one; ``target`` number, -1
        where there is none, and ``target_probability``; ``bare`` number of the classifier's label of the same
        picture without the defense; ``ssim`` and ``psnr`` to the clean photo; ``ndcg`` to the clean photo's
        ranking; ``iou`` of ``Defense.finds`` and the attack's mask; ``milliseconds`` of the defense, or where
        there is none of the attack, a photo's share of its batch. NaN where there is no such number. Without
        a defense an attacker who knows has nothing to know.
    """
    right = torch.from_numpy(label).to(x.device)
    scores = classifier(x)
    progress = None if pause is None else lambda _: pause()
    clean = _Attacked(x, None, scores, torch.full_like(right, -1), 0.0)
    made: dict[Attack, _Attacked] = {}

    def attacked(attack: Attack, model: nn.Module) -> _Attacked:
        y = _wanted(attack, scores, label, files, plan)
        began = now(x.device)
        trace = attack.run(x, y, model, progress, frames=0)
        spent = now(x.device) - began
        picture = trace.attacked.to(x)
        return _Attacked(picture, trace.mask, classifier(picture), _target(attack, y, classifier), spent)

    def told(result: Tensor, predicted: Tensor, found: Tensor, by: _Attacked, spent: float) -> Columns:
        return _told(found, predicted, right, by, result, clean, spent)

    rows: list[Columns] = []
    for name, attack in ((NONE, None), *plan.attacks.items()):
        by = clean
        if attack is not None:
            if attack not in made:
                made[attack] = attacked(attack, classifier)
            by = made[attack]
        rows.append(told(by.picture, by.scores.argmax(1), by.scores, by, by.spent))
        threat = plan.threats.get(name)
        for defense in plan.defenses.values():
            if attack is not None and threat is not None:
                by = attacked(attack, threat.attacked(defense, classifier))
            with remembering(PassingMemo(_MEMO_BYTES)):
                began = now(x.device)
                steps = defense.steps(by.picture, classifier)
                decision = defense.decision(steps, classifier)
                spent = now(x.device) - began
            result = by_name(steps, "result").map
            found = classifier(result)
            predicted = found.argmax(1) if decision is None else decision.labels
            row = told(result, predicted, found, by, spent)
            overlap = _overlap(defense, steps, by.mask)
            rows.append(row if overlap is None else row | {"iou": overlap.numpy()})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@dataclass(frozen=True, eq=False)
class _Attacked:
    """A batch of pictures (B, 3, H, W), where the patch lies, what the classifier says, labels aimed at."""

    picture: Tensor
    mask: Tensor | None
    scores: Tensor
    target: Tensor
    spent: float


def in_halves(count: int, compute: Callable[[slice], Columns], most: int) -> tuple[Columns, int]:
    """``compute`` of ``count`` photos, at most ``most`` at once, half as many where the memory is too small.

    Returns:
        The columns of all, and how many photos at once went well.

    Raises:
        torch.OutOfMemoryError: not even one photo fits.
    """
    parts: list[Columns] = []
    begin = 0
    while begin < count:
        try:
            parts.append(compute(slice(begin, min(begin + most, count))))
        except torch.OutOfMemoryError:
            most = min(most, count - begin)
            if most == 1:
                raise
            most = math.ceil(most / 2)
        else:
            begin += most
            continue
        # Not inside the handler, where the traceback still holds the tensors.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return {name: np.concatenate([part[name] for part in parts], 1) for name in parts[0]}, most


def _wanted(
    attack: Attack, scores: Tensor, label: NDArray[np.int64], files: Sequence[str], plan: Plan
) -> Tensor:
    """(B,) the labels to reach or to leave."""
    if attack.aim == "untargeted":
        return labels_for(attack, scores)
    if plan.target is not None:
        return labels_for(attack, scores, plan.target)
    count = scores.shape[1]
    drawn = [random_target(file, int(y), count, plan.seed) for file, y in zip(files, label, strict=True)]
    return torch.tensor(drawn, device=scores.device)


def _target(attack: Attack, y: Tensor, classifier: Classifier) -> Tensor:
    """(B,) the labels that the attack is after; -1 where it only leaves one."""
    if attack.aim == "targeted":
        return y
    built_in = built_in_target(attack, classifier)
    return torch.full_like(y, -1 if built_in is None else built_in)


def _overlap(defense: Defense, steps: list[Step], mask: Tensor | None) -> Tensor | None:
    return None if mask is None or not defense.finds else iou(by_name(steps, defense.finds).map, mask)


def _told(
    scores: Tensor,
    predicted: Tensor,
    right: Tensor,
    by: _Attacked,
    picture: Tensor,
    clean: _Attacked,
    spent: float,
) -> Columns:
    """A row's figures, each (B,)."""
    probabilities = scores.softmax(1)
    named = torch.where(predicted < 0, scores.argmax(1), predicted)

    def share(labels: Tensor) -> NDArray[Any]:
        return probabilities.gather(1, labels.clamp(min=0)[:, None])[:, 0].double().cpu().numpy()

    count = len(predicted)
    wanted = by.target.cpu().numpy()
    return {
        "predicted": predicted.cpu().numpy(),
        "probability": share(named),
        "label_probability": share(right),
        "target": wanted,
        "target_probability": np.where(wanted < 0, np.nan, share(by.target)),
        "bare": by.scores.argmax(1).cpu().numpy(),
        "ssim": ssim_each(picture, clean.picture).cpu().numpy(),
        "psnr": psnr_each(picture, clean.picture).cpu().numpy(),
        "ndcg": ndcg(clean.scores.softmax(1), probabilities).double().cpu().numpy(),
        "iou": np.full(count, np.nan),
        "milliseconds": np.full(count, 1000 * spent / count),
    }
