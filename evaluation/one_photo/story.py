"""One photo through an attack and a defense: all that a door shows of it, computed in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from attacks.base import Attack, Progress, Trace, story_of, succeeded
from attacks.labels import labels_for
from classifiers.base import Classifier, Prediction
from classifiers.device import now
from defenses.base import Defense, Outcome, defend
from defenses.threats import Oblivious, Threat
from evaluation.measures.metrics import ndcg, psnr, ssim
from explain import Memo, logits, remembering
from ops.coding import eight_bit
from photos import Photo
from story import Step

Answer = Literal["same", "same, unsure now", "same, unsure before", "another", "rejected"]
"""What became of the clean photo's label; where the classifier was unsure of that, nothing else counts."""
_OWN_MEMO_BYTES = 64_000_000


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture as the classifier sees it.

    Attributes:
        x: the picture, (1, 3, H, W) in [0, 1].
        logits: (1, labels).
        top: the five likeliest labels.
        clean: the clean photo; None where this is it.
        ndcg: likeness of the classifier's ranking to that of the clean photo, also of a photo that a defense
            rejects; None for the clean one.
        votes: labels that a defense counted before it decided; empty where the classifier's word counts.
        rejected: whether the defense accepted no label.
        seconds: spent on the defense alone; 0 where there is none.
        is_sure: whether the likeliest label is likely enough for this classifier.
        was_sure: whether the clean photo's was.
    """

    x: Tensor
    logits: Tensor
    top: tuple[Prediction, ...]
    clean: Tensor | None = None
    ndcg: float | None = None
    votes: tuple[str, ...] = ()
    rejected: bool = False
    seconds: float = 0.0
    is_sure: bool = True
    was_sure: bool = True

    @classmethod
    def of(cls, x: Tensor, scores: Tensor, classifier: Classifier, clean: Seen | None = None) -> Seen:
        """The picture ``x`` (1, 3, H, W) of which ``classifier`` has said ``scores`` (1, labels)."""
        top = tuple(classifier.top(scores)[0])
        is_sure = top[0].probability >= classifier.sure_from
        if clean is None:
            return cls(x, scores, top, is_sure=is_sure, was_sure=is_sure)
        likeness = ndcg(clean.logits.softmax(1), scores.softmax(1)).item()
        return cls(x, scores, top, clean.x, likeness, is_sure=is_sure, was_sure=clean.is_sure)

    @classmethod
    def behind(cls, outcome: Outcome, classifier: Classifier, clean: Seen) -> Seen:
        """The only picture of ``outcome``: the defense's result."""
        return replace(
            cls.of(outcome.result, outcome.logits, classifier, clean),
            votes=tuple(classifier.labels[vote] for vote in outcome.votes[0].tolist()),
            rejected=bool(outcome.rejected[0]),
            seconds=outcome.seconds,
        )

    @cached_property
    def ssim(self) -> float | None:
        """Likeness to the clean photo, of which not every door asks; None for the clean one."""
        return None if self.clean is None else ssim(self.clean, self.x)

    @cached_property
    def psnr(self) -> float | None:
        """Likeness to the clean photo in dB, infinite if nothing differs; None for the clean one."""
        return None if self.clean is None else psnr(self.clean, self.x)

    @property
    def outcome(self) -> Literal["accepted", "rejected"] | None:
        """What a defense that decides decided; None where the classifier's word counts."""
        if not self.votes:
            return None
        return "rejected" if self.rejected else "accepted"

    @property
    def label(self) -> int:
        """Number of the likeliest label."""
        return int(self.logits.argmax())

    @property
    def probabilities(self) -> Tensor:
        """Of every label, (labels,)."""
        return self.logits[0].softmax(0)

    def answer(self, source: int) -> Answer:
        """What became of ``source``, the number of the clean photo's label."""
        if self.rejected:
            return "rejected"
        if self.label != source:
            return "another"
        if not self.was_sure:
            return "same, unsure before"
        return "same" if self.is_sure else "same, unsure now"


@dataclass(frozen=True, eq=False)
class Story:
    """One photo, perhaps attacked, perhaps defended.

    Attributes:
        photo: the file it came from; None for a tensor.
        crop_share: of the classifier: how much of the photo's short side it gets.
        classifier: the classifier's name.
        labels: the classifier's labels.
        attack, defense: the methods; None where there is none.
        threat: what the attacker knew of the defense.
        clean, attacked, defended: each picture and what the classifier says of it; None where there is none.
        source: number of the label that the classifier gives the clean photo.
        target: number of the label that the attack is after; None where it only leaves ``source``.
        trace: what the attack left behind.
        steps: the defense's steps, else the attack's, else the photo alone.
        success: whether the attack fools what it was made for: the classifier, or where the attacker knows
            the defense, the two together, which a rejected photo does not; None without an attack. A target
            that the clean photo already has cannot be reached.
        success_8bit: whether it still does after rounding to 8 bits.
        seconds: spent on "attack", "defense" and "classifier" (the verdicts alone); 0 for what did not run.
    """

    photo: Photo | None
    crop_share: float
    classifier: str
    labels: tuple[str, ...]
    attack: Attack | None
    defense: Defense | None
    threat: Threat
    clean: Seen
    attacked: Seen | None
    defended: Seen | None
    source: int
    target: int | None
    trace: Trace | None
    steps: list[Step]
    success: bool | None
    success_8bit: bool | None
    seconds: dict[str, float]

    @property
    def attack_steps(self) -> list[Step]:
        """The attack's own steps, also where a defense follows; empty without an attack."""
        return [] if self.trace is None else story_of(self.clean.x, self.trace)

    @property
    def undefended(self) -> Seen:
        """The last picture in front of the defense: attacked, or clean where there is no attack."""
        return self.attacked or self.clean

    @property
    def had_target(self) -> bool:
        """Whether the clean photo already has the label that the attack is after."""
        return self.attack is not None and self.attack.aim == "targeted" and self.target == self.source

    @property
    def restored(self) -> bool | None:
        """Whether the defended picture has the clean photo's label; None without a defense.

        A rejected photo has none. How sure the classifier is of it, and was, ``Seen.answer`` says.
        """
        if self.defended is None:
            return None
        return not self.defended.rejected and self.defended.label == self.source


@torch.no_grad()
def run_story(
    photo: Photo | Tensor,
    classifier: Classifier,
    attack: Attack | None = None,
    defense: Defense | None = None,
    *,
    target: str | int | None = None,
    seed: int | None = None,
    size: int | None = None,
    memo: Memo | None = None,
    progress: Progress | None = None,
    trace: Trace | None = None,
    threat: Threat | None = None,
    assumed: Defense | None = None,
) -> Story:
    """Attacks a photo, defends it, and asks the classifier at every stage.

    Without an attack the defense works on the clean photo.

    Args:
        photo: a photo, or (1, 3, H, W) in [0, 1].
        classifier: what an oblivious attack attacks, and what gives the verdicts.
        attack: or None.
        defense: or None. An attacker who knows of it attacks the two together.
        target: label that the attack shall reach; where it needs one and none is given, a random one.
        seed: of that random label; by default the attack's own seed, or 0.
        size: working size in px, by default the classifier's. A tensor keeps its own.
        memo: remembers what the classifier said, so that a change of a parameter costs only what it touches.
        progress: called after each iteration of the attack; what it raises ends the run.
        trace: what this attack left behind on this photo and target before; it does not run again.
        threat: what the attacker knows of the defense; by default nothing.
        assumed: what he takes for the defense; by default the defense itself.

    Raises:
        ValueError: no such label, a target for an attack that takes none, a photo of a wrong shape, or a
            threat that knows a defense where there is none.
    """
    threat = threat or Oblivious()
    if threat.knows and (attack is None or defense is None):
        raise ValueError(f"{threat.title} is an attack through a defense: give both")
    # Without a memory of its own a defense that votes would ask about each picture twice.
    memo = Memo(_OWN_MEMO_BYTES) if memo is None else memo
    story = attacked_story(
        photo,
        classifier,
        attack,
        target=target,
        seed=seed,
        size=size,
        memo=memo,
        progress=progress,
        trace=trace,
        threat=threat,
        assumed=assumed or defense,
    )
    return story if defense is None else defended_story(story, classifier, defense, memo=memo)


@torch.no_grad()
def attacked_story(
    photo: Photo | Tensor,
    classifier: Classifier,
    attack: Attack | None = None,
    *,
    target: str | int | None = None,
    seed: int | None = None,
    size: int | None = None,
    memo: Memo | None = None,
    progress: Progress | None = None,
    trace: Trace | None = None,
    threat: Threat | None = None,
    assumed: Defense | None = None,
) -> Story:
    """``run_story`` as far as the defense: what stays as it is while a visitor moves the defense's sliders.

    Where the attacker knows a defense, ``assumed``, whether he succeeds is open until it has worked.

    Raises:
        ValueError: as ``run_story``.
    """
    threat = threat or Oblivious()
    if threat.knows and (attack is None or assumed is None):
        raise ValueError(f"{threat.title} is an attack through a defense: give both")
    x = _working(photo, size or classifier.working_size, classifier.crop_share).to(classifier.device)
    watch = _Watch(classifier.device)
    attacked = success = success_8bit = wanted = None
    with remembering(Memo(_OWN_MEMO_BYTES) if memo is None else memo):
        clean = _look(x, classifier, watch)
        steps = [Step("photo", x, "photo", "The photo as the classifier gets it.")]
        if attack is not None:
            attack = attack.fitted(classifier)
            y = _label(attack, clean, classifier, target, seed, photo)
            wanted = int(y) if attack.aim == "targeted" else built_in_target(attack, classifier)
            if trace is None:
                through = classifier if assumed is None else threat.attacked(assumed, classifier)
                with watch.times("attack"):
                    trace = attack.run(x, y, through, progress)
            attacked = _look(trace.attacked.to(x), classifier, watch, clean)
            steps = story_of(x, trace)
            if not threat.knows:
                success = _fools(attack, attacked, y, clean.label)
                rounded = _look(eight_bit(attacked.x), classifier, watch)
                success_8bit = _fools(attack, rounded, y, clean.label)
    return Story(
        photo=photo if isinstance(photo, Photo) else None,
        crop_share=classifier.crop_share,
        classifier=classifier.name,
        labels=classifier.labels,
        attack=attack,
        defense=None,
        threat=threat,
        clean=clean,
        attacked=attacked,
        defended=None,
        source=clean.label,
        target=wanted,
        trace=None if attack is None else trace,
        steps=steps,
        success=success,
        success_8bit=success_8bit,
        seconds=watch.seconds,
    )


@torch.no_grad()
def defended_story(
    story: Story, classifier: Classifier, defense: Defense, *, memo: Memo | None = None
) -> Story:
    """The ``story`` of ``attacked_story`` with ``defense`` at work on its last photo."""
    watch = _Watch(classifier.device, story.seconds)
    success, success_8bit = story.success, story.success_8bit
    with remembering(Memo(_OWN_MEMO_BYTES) if memo is None else memo):
        outcome, defended = _defend(story.undefended.x, classifier, defense, watch, story.clean)
        if story.threat.knows and story.attack is not None and story.attacked is not None:
            y = torch.tensor([story.target if story.attack.aim == "targeted" else story.source])
            rounded = _defend(eight_bit(story.attacked.x), classifier, defense, watch, story.clean)[1]
            success, success_8bit = (
                _fools(story.attack, seen, y, story.source) for seen in (defended, rounded)
            )
    return replace(
        story,
        defense=defense,
        defended=defended,
        steps=outcome.steps,
        success=success,
        success_8bit=success_8bit,
        seconds=watch.seconds,
    )


def _working(photo: Photo | Tensor, size: int, crop_share: float) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    if isinstance(photo, Photo):
        return photo.working(size, crop_share)
    if photo.ndim != 4 or photo.shape[:2] != (1, 3):
        raise ValueError(f"a photo has the shape (1, 3, H, W), not {tuple(photo.shape)}")
    return photo.detach()


def _look(x: Tensor, classifier: Classifier, watch: _Watch, clean: Seen | None = None) -> Seen:
    """What ``classifier`` says about ``x``, and how similar to ``clean`` both are."""
    with watch.times("classifier"):
        scores = logits(x, classifier)
    return Seen.of(x, scores, classifier, clean)


def _defend(
    x: Tensor, classifier: Classifier, defense: Defense, watch: _Watch, clean: Seen
) -> tuple[Outcome, Seen]:
    """What comes of ``x`` behind the defense."""
    with watch.times("classifier"):
        outcome = defend(defense, x, classifier)
    watch.seconds["classifier"] -= outcome.seconds
    watch.seconds["defense"] += outcome.seconds
    return outcome, Seen.behind(outcome, classifier, clean)


def _fools(attack: Attack, seen: Seen, y: Tensor, source: int) -> bool:
    """Whether ``y`` (1,) is reached, or left, in what was seen.

    A rejected photo fools nobody, and a target that the clean photo already had is not reached.
    """
    if seen.rejected or (attack.aim == "targeted" and int(y) == source):
        return False
    return bool(succeeded(seen.logits, y, attack.aim))


def _label(
    attack: Attack,
    clean: Seen,
    classifier: Classifier,
    target: str | int | None,
    seed: int | None,
    photo: Photo | Tensor,
) -> Tensor:
    """(1,) the label to reach or to leave."""
    number = classifier.index(target) if isinstance(target, str) else target
    drawn_by = attack.random_seed if seed is None else seed
    digest = photo.digest if isinstance(photo, Photo) else ""
    return labels_for(attack, clean.logits, number, drawn_by, photos=(digest,))


def built_in_target(attack: Attack, classifier: Classifier) -> int | None:
    """Number of the label that a ready-made attack was made for, where the classifier has that label."""
    label = attack.target_label
    return None if label not in classifier.labels else classifier.labels.index(label)


class _Watch:
    """Adds up seconds by what they were spent on, with the device's queue emptied at both ends."""

    def __init__(self, device: torch.device, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = {"attack": 0.0, "defense": 0.0, "classifier": 0.0} | dict(seconds or {})
        self._device = device

    @contextmanager
    def times(self, name: str) -> Iterator[None]:
        begin = now(self._device)
        yield
        self.seconds[name] += now(self._device) - begin
