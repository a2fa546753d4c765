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

    An attack knows the right label: it leaves that one, and a photo on which what it attacks, the classifier
    or the defended classifier, is already wrong counts as wrong and is not attacked (Croce et al. 2021,
    "RobustBench", count so), unless the plan says so. A photo that already has the attack's label is left
    out. Without a defense an attacker who knows has nothing to know.

    Args:
        batch: the photos.
        classifier: attacked, alone or together with a defense, and asked for the verdicts.
        plan: the methods.
        pause: called after every iteration of an attack; what it raises ends it all.
    """
    return list(_Work(batch, classifier, plan, pause).cells())


@dataclass(frozen=True, eq=False)
class _Attacked:
    """Pictures of a batch after an attack, or without one.

    Attributes:
        picture: (B, 3, H, W); the clean photo where ``made`` is False.
        mask: (B, 1, H, W) where the patch lies; None without one.
        scores: (B, labels) the bare classifier's.
        answered: (B,) the label that was attacked: what comes out without the attack, -1 where rejected.
        target: (B,) labels aimed at; -1 where there is none.
        counted: (B,) whether the attack was made, or there is none.
        left_out: (B,) whether the photo already has the label aimed at.
        seconds: for each attacked photo.
    """

    picture: Tensor
    mask: Tensor | None
    scores: Tensor
    answered: Tensor
    target: Tensor
    counted: Tensor
    left_out: Tensor
    seconds: float

    def only_counted(self, tensor: Tensor) -> Tensor:
        """Those rows of a (B, ...) tensor that count; the tensor itself where all do."""
        return tensor if bool(self.counted.all()) else tensor[self.counted]


class _Work:
    """The photos of one batch on their way through the plan."""

    def __init__(
        self, batch: Batch, classifier: Classifier, plan: Plan, pause: Callable[[], None] | None
    ) -> None:
        self._batch, self._model, self._plan = batch, classifier, plan
        self._progress = None if pause is None else lambda _: pause()
        self._right = torch.from_numpy(batch.truth).to(batch.x.device)
        scores = logits(batch.x, classifier)
        nobody = torch.zeros_like(self._right, dtype=torch.bool)
        no_target = torch.full_like(self._right, -1)
        self._clean = _Attacked(
            batch.x, None, scores, scores.argmax(1), no_target, ~nobody, nobody, seconds=0.0
        )

    def cells(self) -> list[CellFigures]:
        """Of the plan, in its order."""
        plan, model = self._plan, self._model
        rows = [self._bare(NONE, self._clean)]
        answered: dict[str, Tensor] = {}
        for name, defense in plan.defenses.items():
            outcome = self._outcome(defense, self._clean)
            answered[name] = outcome.labels
            rows.append(self._defended(NONE, name, defense, self._clean, outcome))
        oblivious: dict[Attack, _Attacked] = {}
        for attack_name, attack in plan.attacks.items():
            if attack not in oblivious:
                oblivious[attack] = self._attack(attack, model, self._clean.answered)
            by = oblivious[attack]
            rows.append(self._bare(attack_name, by))
            threat = plan.threats.get(attack_name)
            for name, defense in plan.defenses.items():
                if threat is not None:
                    by = self._attack(attack, threat.attacked(defense, model), answered[name])
                behind = self._outcome(defense, by) if bool(by.counted.any()) else None
                rows.append(self._defended(attack_name, name, defense, by, behind))
        return rows

    def _outcome(self, defense: Defense, by: _Attacked) -> Outcome:
        with remembering(PassingMemo(_MEMO_BYTES)):
            return defend(defense, by.only_counted(by.picture), self._model)

    def _attack(self, attack: Attack, model: nn.Module, answered: Tensor) -> _Attacked:
        """The attack on ``model``, which says ``answered`` (B,) of the clean photos."""
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
        left_out = (target == self._right) | ((target == answered) & plan.attack_wrong)
        worth = ~left_out if plan.attack_wrong else ~left_out & (answered == self._right)
        by = _Attacked(x, None, clean.scores, answered, target, worth, left_out, seconds=0.0)
        count = int(worth.sum())
        if not count:
            return by
        began = now(x.device)
        trace = attack.run(by.only_counted(x), by.only_counted(y), model, self._progress, frames=0)
        seconds = (now(x.device) - began) / count
        attacked = trace.attacked.to(x)
        return replace(
            by,
            picture=_spread(attacked, x, worth),
            mask=None if trace.mask is None else _spread(trace.mask, torch.zeros_like(x[:, :1]), worth),
            scores=_spread(logits(attacked, self._model), clean.scores, worth),
            seconds=seconds,
        )

    def _target(self, attack: Attack, y: Tensor) -> Tensor:
        """(B,) the labels that the attack is after; -1 where it only leaves one."""
        if attack.aim == "targeted":
            return y
        built_in = built_in_target(attack, self._model)
        return torch.full_like(y, -1 if built_in is None else built_in)

    def _bare(self, attack: str, by: _Attacked) -> CellFigures:
        """The cell without a defense."""
        scores, picture = by.only_counted(by.scores), by.only_counted(by.picture)
        return self._cell(attack, NONE, by, scores.argmax(1), scores, picture, by.seconds)

    def _defended(
        self, attack: str, name: str, defense: Defense, by: _Attacked, outcome: Outcome | None
    ) -> CellFigures:
        """The cell behind ``defense``; ``outcome`` is of the photos that count, None where none does."""
        if outcome is None:
            none = by.only_counted(by.scores)
            return self._cell(attack, name, by, none.argmax(1), none, by.only_counted(by.picture), 0.0)
        overlap = None
        if by.mask is not None and defense.finds:
            overlap = iou(by_name(outcome.steps, defense.finds).map, by.only_counted(by.mask))
        seconds = outcome.seconds / len(outcome.labels)
        return self._cell(attack, name, by, outcome.labels, outcome.logits, outcome.result, seconds, overlap)

    def _cell(
        self,
        attack: str,
        defense: str,
        by: _Attacked,
        predicted: Tensor,
        scores: Tensor,
        picture: Tensor,
        seconds: float,
        overlap: Tensor | None = None,
    ) -> CellFigures:
        """A cell's figures; ``predicted`` to ``overlap`` are of the photos that count."""
        clean, probabilities = self._clean, scores.softmax(1)
        likeliest = torch.where(predicted < 0, scores.argmax(1), predicted)
        counted = by.counted.cpu().numpy()

        def share(labels: Tensor) -> Tensor:
            return probabilities.gather(1, labels.clamp(min=0)[:, None])[:, 0]

        def spread(values: Tensor | None) -> NDArray[np.float64]:
            """(B,) the values of those that count, NaN for the others."""
            every = np.full(len(counted), np.nan)
            if values is not None:
                every[counted] = values.double().cpu().numpy()
            return every

        labels = by.answered.cpu().numpy().copy()
        labels[counted] = predicted.cpu().numpy()
        target = by.target.cpu().numpy()
        before = clean.scores.softmax(1)
        own = by.only_counted(before)
        right = self._right[:, None]
        return CellFigures(
            attack=attack,
            defense=defense,
            threat=self._plan.knowledge(attack),
            labels=self._model.labels,
            truth=self._batch.truth,
            clean=clean.answered.cpu().numpy(),
            clean_probability=before.gather(1, right)[:, 0].double().cpu().numpy(),
            bare=by.scores.argmax(1).cpu().numpy(),
            predicted=labels,
            probability=spread(share(likeliest)),
            label_probability=spread(share(by.only_counted(self._right))),
            target=target,
            target_probability=np.where(target < 0, np.nan, spread(share(by.only_counted(by.target)))),
            attacked=counted & (attack != NONE),
            counted=counted,
            left_out=by.left_out.cpu().numpy(),
            ssim=spread(ssim_each(picture, by.only_counted(clean.picture)) if len(picture) else None),
            psnr=spread(psnr_each(picture, by.only_counted(clean.picture)) if len(picture) else None),
            ndcg=spread(ndcg(own, probabilities) if len(own) else None),
            iou=spread(overlap),
            milliseconds=np.where(counted, 1000 * seconds, np.nan),
        )


def _spread(part: Tensor, whole: Tensor, where: Tensor) -> Tensor:
    """``whole`` (B, ...) with the rows ``part`` in place of those ``where`` (B,) is True."""
    if len(part) == len(whole):
        return part
    return whole.index_put((where,), part.to(whole))
