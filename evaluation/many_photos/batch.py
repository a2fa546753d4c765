"""A batch of photos through every attack and every defense: what the rows of a run are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True, eq=False)
class _Row:
    """What a cell counts of its attacked pictures.

    Attributes:
        attack, defense: names.
        by: the pictures.
        answered: (B,) the label that comes out without an attack; -1 where it is rejected.
        left_out: (B,) whether the photo has the label aimed at.
        counted: (B,) whether the cell's figures are of this photo.
    """

    attack: str
    defense: str
    by: _Attacked
    answered: Tensor
    left_out: Tensor
    counted: Tensor

    def only_counted(self, tensor: Tensor) -> Tensor:
        """Those rows of a (B, ...) tensor that count; the tensor itself where all do."""
        return _rows(tensor, self.counted)


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
        plan, model, clean = self._plan, self._model, self._clean
        answered = {NONE: clean.scores.argmax(1)}
        nobody = torch.zeros_like(self._right, dtype=torch.bool)
        cells = [self._bare(_Row(NONE, NONE, clean, answered[NONE], nobody, ~nobody))]
        for name, defense in plan.defenses.items():
            row = _Row(NONE, name, clean, answered[NONE], nobody, ~nobody)
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
                behind = self._outcome(defense, row) if bool(row.counted.any()) else None
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
        return _Row(attack, defense, by, answered[defense], left_out, worth[defense] & ~left_out)

    def _has_target(self, target: Tensor) -> Tensor:
        return target == self._right

    def _outcome(self, defense: Defense, row: _Row) -> Outcome:
        with remembering(PassingMemo(_MEMO_BYTES)):
            return defend(defense, row.only_counted(row.by.picture), self._model)

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
        made = worth & ~self._has_target(target)
        count = int(made.sum())
        if not count:
            return replace(clean, target=target)
        began = now(x.device)
        trace = attack.run(_rows(x, made), _rows(y, made), model, self._progress, frames=0)
        seconds = (now(x.device) - began) / count
        attacked = trace.attacked.to(x)
        return _Attacked(
            picture=_spread(attacked, x, made),
            mask=None if trace.mask is None else _spread(trace.mask, torch.zeros_like(x[:, :1]), made),
            scores=_spread(logits(attacked, self._model), clean.scores, made),
            target=target,
            seconds=seconds,
        )

    def _target(self, attack: Attack, y: Tensor) -> Tensor:
        """(B,) the labels that the attack is after; -1 where it only leaves one."""
        if attack.aim == "targeted":
            return y
        built_in = built_in_target(attack, self._model)
        return torch.full_like(y, -1 if built_in is None else built_in)

    def _bare(self, row: _Row) -> CellFigures:
        """The cell without a defense."""
        scores = row.only_counted(row.by.scores)
        picture = row.only_counted(row.by.picture)
        return self._cell(row, scores.argmax(1), scores, picture, row.by.seconds)

    def _defended(self, row: _Row, defense: Defense, outcome: Outcome | None) -> CellFigures:
        """The cell behind ``defense``; ``outcome`` is of the photos that count, None where none does."""
        if outcome is None:
            return self._bare(row)
        overlap = None
        if row.by.mask is not None and defense.finds:
            overlap = iou(by_name(outcome.steps, defense.finds).map, row.only_counted(row.by.mask))
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
    ) -> CellFigures:
        """A cell's figures; ``predicted`` to ``overlap`` are of the photos that count."""
        clean, by, probabilities = self._clean, row.by, scores.softmax(1)
        likeliest = torch.where(predicted < 0, scores.argmax(1), predicted)
        counted = row.counted.cpu().numpy()

        def share(labels: Tensor) -> Tensor:
            return probabilities.gather(1, labels.clamp(min=0)[:, None])[:, 0]

        def spread(values: Tensor | None) -> NDArray[np.float64]:
            """(B,) the values of those that count, NaN for the others."""
            every = np.full(len(counted), np.nan)
            if values is not None:
                every[counted] = values.double().cpu().numpy()
            return every

        labels = row.answered.cpu().numpy().copy()
        labels[counted] = predicted.cpu().numpy()
        target = by.target.cpu().numpy()
        before, unattacked = clean.scores.softmax(1), clean.scores.argmax(1)
        own = row.only_counted(before)
        right = self._right[:, None]
        return CellFigures(
            attack=row.attack,
            defense=row.defense,
            threat=self._plan.knowledge(row.attack),
            labels=self._model.labels,
            truth=self._batch.truth,
            clean=unattacked.cpu().numpy(),
            clean_probability=before.gather(1, right)[:, 0].double().cpu().numpy(),
            bare=torch.where(row.counted, by.scores.argmax(1), unattacked).cpu().numpy(),
            predicted=labels,
            probability=spread(share(likeliest)),
            label_probability=spread(share(row.only_counted(self._right))),
            target=target,
            target_probability=np.where(target < 0, np.nan, spread(share(row.only_counted(by.target)))),
            attacked=counted & (row.attack != NONE),
            counted=counted,
            left_out=row.left_out.cpu().numpy(),
            ssim=spread(ssim_each(picture, row.only_counted(clean.picture)) if len(picture) else None),
            psnr=spread(psnr_each(picture, row.only_counted(clean.picture)) if len(picture) else None),
            ndcg=spread(ndcg(own, probabilities) if len(own) else None),
            iou=spread(overlap),
            milliseconds=np.where(counted, 1000 * seconds, np.nan),
        )


def _rows(whole: Tensor, where: Tensor) -> Tensor:
    """The rows of a (B, ...) tensor ``where`` (B,) is True; the tensor itself where it is everywhere."""
    return whole if bool(where.all()) else whole[where]


def _spread(part: Tensor, whole: Tensor, where: Tensor) -> Tensor:
    """``whole`` (B, ...) with the rows ``part`` in place of those ``where`` (B,) is True."""
    if len(part) == len(whole):
        return part
    return whole.index_put((where,), part.to(whole))
