"""A batch of photos through every attack and every defense: what the rows of a run are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from attacks.base import Attack
from attacks.labels import labels_for
from classifiers.base import Classifier
from classifiers.device import now
from defenses import THREATS, Defense, Oblivious, Outcome, Threat, defend
from evaluation.many_photos.columns import NONE, CellFigures
from evaluation.measures.metrics import iou, ndcg, psnr_each, ssim_each
from evaluation.one_photo.story import built_in_target
from explain import PassingMemo, logits, remembering
from story import by_name

_MEMO_BYTES = 1_000_000_000
_LABELS = ("clean", "bare", "predicted", "target")
_SWITCHES = ("counted", "left_out")


@dataclass(frozen=True)
class Plan:
    """What is done with every photo.

    Attributes:
        attacks, defenses: by the names in the rows, in their order; none of them called ``none``.
        target: number of the label that attacks shall reach; None for another one at random for each photo.
        seed: of these.
        threats: what the attacker knows, by name of an attack; nothing of the defense where it has no entry.
        attack_wrong: whether photos are attacked that are wrong before the attack.
    """

    attacks: Mapping[str, Attack]
    defenses: Mapping[str, Defense]
    target: int | None = None
    seed: int = 0
    threats: Mapping[str, Threat] = field(default_factory=dict)
    attack_wrong: bool = False

    @classmethod
    def under(
        cls,
        threats: Mapping[str, Threat],
        attacks: Mapping[str, Attack],
        defenses: Mapping[str, Defense],
        target: int | None = None,
        seed: int = 0,
        *,
        attack_wrong: bool = False,
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
        return cls(every, defenses, target, seed, knowing, attack_wrong)

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


@dataclass(frozen=True, eq=False)
class Batch:
    """Photos with their right labels.

    Attributes:
        x: (B, 3, H, W) in [0, 1], on the classifier's device.
        truth: (B,) numbers of the right labels.
        digests: of the photos' files, which fix their random targets.
    """

    x: Tensor
    truth: NDArray[np.int64]
    digests: Sequence[str]


@torch.no_grad()
def measure(
    batch: Batch, classifier: Classifier, plan: Plan, pause: Callable[[], None] | None = None
) -> list[CellFigures]:
    """Every attack on a batch of photos, and every defense behind it; in the order of ``Plan.cells``.

    An attack knows the right label, and leaves that one. What counts in a cell is the classifier, alone or
    behind the cell's defense: a photo that it gets wrong without an attack counts as wrong, and the attack is
    not made for it (Croce et al. 2021, "RobustBench", count so), unless the plan says so. A photo of the
    attack's own label is left out. Without a defense an attacker who knows has nothing to know.

    Args:
        batch: the photos.
        classifier: attacked, alone or together with a defense, and asked for the verdicts.
        plan: the methods.
        pause: called after every iteration of an attack; what it raises ends it all.
    """
    return _Work(batch, classifier, plan, pause).cells()


@dataclass(frozen=True, eq=False)
class _Attacked:
    """Pictures of a batch after an attack, or without one.

    Attributes:
        picture: (B, 3, H, W); the clean photo where the attack was not made.
        mask: (B, 1, H, W) where the patch lies; None without one.
        scores: (B, labels) the bare classifier's.
        target: (B,) labels aimed at; -1 where there is none.
        seconds: for each photo for which the attack was made.
    """

    picture: Tensor
    mask: Tensor | None
    scores: Tensor
    target: Tensor
    seconds: float


class _Some:
    """Some photos of a batch; which ones, the device is asked once."""

    def __init__(self, where: Tensor) -> None:
        """``where``: (B,) whether the photo is one of them."""
        self.where = where
        self._numbers = where.nonzero().flatten()
        self._all = len(self._numbers) == len(where)

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, whole: Tensor) -> Tensor:
        """Their rows of a (B, ...) tensor; the tensor itself where they are all."""
        return whole if self._all else whole[self._numbers]

    def among(self, part: Tensor, whole: Tensor) -> Tensor:
        """``whole`` (B, ...) with ``part`` in place of their rows."""
        return part if self._all else whole.index_copy(0, self._numbers, part.to(whole))


@dataclass(frozen=True, eq=False)
class _Row:
    """What a cell counts of its attacked pictures.

    Attributes:
        attack, defense: names.
        by: the pictures.
        answered: (B,) the label that comes out without an attack; -1 where it is rejected.
        left_out: (B,) whether the photo has the label aimed at.
        counted: the photos that the cell's figures are of.
    """

    attack: str
    defense: str
    by: _Attacked
    answered: Tensor
    left_out: Tensor
    counted: _Some


@dataclass(frozen=True, eq=False)
class _Cell:
    """A cell's figures on the device, each (B,): ``CellFigures`` tells them apart.

    Attributes:
        attack, defense: names.
        seconds: of each photo that counts.
        figures: by name; NaN for photos that do not count, where that is no number of a label.
    """

    attack: str
    defense: str
    seconds: float
    figures: dict[str, Tensor]


class _Work:
    """The photos of one batch on their way through the plan."""

    def __init__(
        self, batch: Batch, classifier: Classifier, plan: Plan, pause: Callable[[], None] | None
    ) -> None:
        self._batch, self._model, self._plan = batch, classifier, plan
        self._progress = None if pause is None else lambda _: pause()
        self._right = torch.from_numpy(batch.truth).to(batch.x.device)
        no_target = torch.full_like(self._right, -1)
        self._clean = _Attacked(batch.x, None, logits(batch.x, classifier), no_target, seconds=0.0)

    def cells(self) -> list[CellFigures]:
        """Of the plan, in its order."""
        cells = self._cells()
        # All that leaves the device leaves it here, at once.
        on_device = torch.stack([torch.stack(list(cell.figures.values())) for cell in cells])
        return [self._on_host(cell, rows) for cell, rows in zip(cells, on_device.cpu().numpy(), strict=True)]

    def _on_host(self, cell: _Cell, rows: NDArray[np.float64]) -> CellFigures:
        """``rows`` are the cell's figures."""
        read: dict[str, NDArray[Any]] = dict(zip(cell.figures, rows, strict=True))
        read |= {name: read[name].astype(np.int64) for name in _LABELS}
        read |= {name: read[name].astype(np.bool_) for name in _SWITCHES}
        counted = read["counted"]
        return CellFigures(
            attack=cell.attack,
            defense=cell.defense,
            threat=self._plan.knowledge(cell.attack),
            labels=self._model.labels,
            truth=self._batch.truth,
            attacked=counted & (cell.attack != NONE),
            milliseconds=np.where(counted, 1000 * cell.seconds, np.nan),
            **read,
        )

    def _cells(self) -> list[_Cell]:
        plan, model, clean = self._plan, self._model, self._clean
        answered = {NONE: clean.scores.argmax(1)}
        nobody = torch.zeros_like(self._right, dtype=torch.bool)
        everybody = _Some(~nobody)
        cells = [self._bare(_Row(NONE, NONE, clean, answered[NONE], nobody, everybody))]
        for name, defense in plan.defenses.items():
            row = _Row(NONE, name, clean, answered[NONE], nobody, everybody)
            outcome = self._outcome(defense, row)
            answered[name] = outcome.labels
            cells.append(self._defended(row, defense, outcome))
        worth = {name: (labels == self._right) | plan.attack_wrong for name, labels in answered.items()}
        any_worth = torch.stack(list(worth.values())).any(0)
        oblivious: dict[Attack, _Attacked] = {}
        for attack_name, attack in plan.attacks.items():
            if attack not in oblivious:
                oblivious[attack] = self._attack(attack, model, any_worth)
            by, threat = oblivious[attack], plan.threats.get(attack_name)
            cells.append(self._bare(self._row(attack_name, NONE, by, answered, worth)))
            for name, defense in plan.defenses.items():
                if threat is not None:
                    by = self._attack(attack, threat.attacked(defense, model), worth[name])
                row = self._row(attack_name, name, by, answered, worth)
                behind = self._outcome(defense, row) if len(row.counted) else None
                cells.append(self._defended(row, defense, behind))
        return cells

    def _row(
        self,
        attack: str,
        defense: str,
        by: _Attacked,
        answered: Mapping[str, Tensor],
        worth: Mapping[str, Tensor],
    ) -> _Row:
        left_out = self._has_target(by.target) | (
            (by.target == answered[defense]) & (by.target >= 0) & self._plan.attack_wrong
        )
        return _Row(attack, defense, by, answered[defense], left_out, _Some(worth[defense] & ~left_out))

    def _has_target(self, target: Tensor) -> Tensor:
        return target == self._right

    def _outcome(self, defense: Defense, row: _Row) -> Outcome:
        with remembering(PassingMemo(_MEMO_BYTES)):
            return defend(defense, row.counted.of(row.by.picture), self._model)

    def _attack(self, attack: Attack, model: nn.Module, worth: Tensor) -> _Attacked:
        """The attack on ``model``, of those photos that are ``worth`` (B,) it."""
        plan, x, clean = self._plan, self._batch.x, self._clean
        y = labels_for(
            attack,
            clean.scores,
            plan.target if attack.aim == "targeted" else None,
            plan.seed,
            photos=self._batch.digests,
            truth=self._right,
        )
        target = self._target(attack, y)
        made = _Some(worth & ~self._has_target(target))
        if not len(made):
            return replace(clean, target=target)
        began = now(x.device)
        trace = attack.run(made.of(x), made.of(y), model, self._progress, frames=0)
        seconds = (now(x.device) - began) / len(made)
        attacked = trace.attacked.to(x)
        return _Attacked(
            picture=made.among(attacked, x),
            mask=None if trace.mask is None else made.among(trace.mask, torch.zeros_like(x[:, :1])),
            scores=made.among(logits(attacked, self._model), clean.scores),
            target=target,
            seconds=seconds,
        )

    def _target(self, attack: Attack, y: Tensor) -> Tensor:
        """(B,) the labels that the attack is after; -1 where it only leaves one."""
        if attack.aim == "targeted":
            return y
        built_in = built_in_target(attack, self._model)
        return torch.full_like(y, -1 if built_in is None else built_in)

    def _bare(self, row: _Row) -> _Cell:
        """The cell without a defense."""
        scores = row.counted.of(row.by.scores)
        picture = row.counted.of(row.by.picture)
        return self._cell(row, scores.argmax(1), scores, picture, row.by.seconds)

    def _defended(self, row: _Row, defense: Defense, outcome: Outcome | None) -> _Cell:
        """The cell behind ``defense``; ``outcome`` is of the photos that count, None where none does."""
        if outcome is None:
            return self._bare(row)
        overlap = None
        if row.by.mask is not None and defense.finds:
            overlap = iou(by_name(outcome.steps, defense.finds).map, row.counted.of(row.by.mask))
        seconds = outcome.seconds / len(outcome.labels)
        return self._cell(row, outcome.labels, outcome.logits, outcome.result, seconds, overlap)

    def _cell(
        self,
        row: _Row,
        predicted: Tensor,
        scores: Tensor,
        picture: Tensor,
        seconds: float,
        overlap: Tensor | None = None,
    ) -> _Cell:
        """A cell's figures; ``predicted`` to ``overlap`` are of the photos that count."""
        clean, by, probabilities, counted = self._clean, row.by, scores.softmax(1), row.counted
        likeliest = torch.where(predicted < 0, scores.argmax(1), predicted)
        nothing = torch.full_like(self._right, torch.nan, dtype=torch.double)

        def share(labels: Tensor) -> Tensor:
            return probabilities.gather(1, labels.clamp(min=0)[:, None])[:, 0]

        def spread(values: Tensor | None) -> Tensor:
            """(B,) the values of those that count, NaN for the others."""
            return nothing if values is None else counted.among(values, nothing)

        before, unattacked = clean.scores.softmax(1), clean.scores.argmax(1)
        own, unchanged = counted.of(before), counted.of(clean.picture)
        aimed = spread(share(counted.of(by.target)))
        figures = {
            "clean": unattacked,
            "clean_probability": before.gather(1, self._right[:, None])[:, 0],
            "bare": torch.where(counted.where, by.scores.argmax(1), unattacked),
            "predicted": counted.among(predicted, row.answered),
            "probability": spread(share(likeliest)),
            "label_probability": spread(share(counted.of(self._right))),
            "target": by.target,
            "target_probability": torch.where(by.target < 0, nothing, aimed),
            "counted": counted.where,
            "left_out": row.left_out,
            "ssim": spread(ssim_each(picture, unchanged) if len(picture) else None),
            "psnr": spread(psnr_each(picture, unchanged) if len(picture) else None),
            "ndcg": spread(ndcg(own, probabilities) if len(own) else None),
            "iou": spread(overlap),
        }
        return _Cell(row.attack, row.defense, seconds, {name: one.double() for name, one in figures.items()})
