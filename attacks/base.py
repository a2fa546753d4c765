"""What an attack is: parameters, and the iterations from the photo to the attacked photo."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn

from story import Parametrised, Step, by_name

Goal = Literal["targeted", "untargeted"]
"""Whether a label is to be reached or to be left."""


class Cancelled(Exception):  # noqa: N818 - a visitor's wish, not an error
    """Raised by a progress callback to stop an attack; the visitor keeps what he had."""


@dataclass(frozen=True)
class Report:
    """What a running attack tells after an iteration.

    Attributes:
        done, total: iterations; an attack that stops early ends before ``total``.
        probability: (B,) of the watched label as this iteration's pass saw it, on the model's device: the
            target's, or that of the label to leave where there is no target.
    """

    done: int
    total: int
    probability: Tensor


Progress = Callable[[Report], None]


@dataclass(frozen=True, eq=False)
class Trace:
    """What an attack leaves behind.

    An iteration is one pass forward and back and the update that follows it, so row k of ``loss`` and
    ``probability`` was seen on iterate k, and iterate ``iterations`` is ``attacked``. An attack that asks the
    model nothing has no iterations, and its only frame is the result.

    Attributes:
        attacked: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 where the attack may write; None where it may write everywhere.
        frames: (F, B, 3, H, W) on the CPU: iterates from the start to the final one, evenly spaced but for
            the last.
        frame_iterations: number of each frame's iterate, rising from 0 to ``iterations``.
        loss: (I, B) on the CPU, the attack's own loss: what it lowers, or for an untargeted goal raises.
        probability: (I, B) on the CPU, of the watched label (see ``Report``).
    """

    attacked: Tensor
    mask: Tensor | None
    frames: Tensor
    frame_iterations: tuple[int, ...]
    loss: Tensor
    probability: Tensor

    @property
    def iterations(self) -> int:
        """How many passes were made: fewer than planned where the attack stopped early."""
        return self.loss.shape[0]


class Trail:
    """Collects a ``Trace`` while an attack runs, and tells the progress.

    Attributes:
        total: planned iterations, as reported; the attack sets it before its first pass.
    """

    def __init__(self, progress: Progress | None, frames: int) -> None:
        self.total = 0
        self._progress = progress
        self._most = frames
        self._every = 1
        self._frames: dict[int, Tensor] = {}
        self._loss: list[Tensor] = []
        self._probability: list[Tensor] = []

    def add(self, iterate: Tensor, loss: Tensor, probability: Tensor) -> None:
        """One iteration: the photos (B, 3, H, W) shown to the model, and their loss and probability (B,).

        Raises:
            Cancelled: from the progress callback, as anything else that it raises.
        """
        self._keep(len(self._loss), iterate)
        self._loss.append(loss.detach())
        self._probability.append(probability.detach())
        if self._progress is not None:
            self._progress(Report(len(self._loss), self.total, self._probability[-1]))

    def _keep(self, number: int, iterate: Tensor) -> None:
        """A frame of every ``_every``-th iterate; that distance doubles when the room, less one, is full."""
        if number % self._every or self._most < 2:
            return
        if len(self._frames) == self._most - 1:
            self._every *= 2
            self._frames = {kept: frame for kept, frame in self._frames.items() if kept % self._every == 0}
            if number % self._every:
                return
        self._frames[number] = iterate.detach().to("cpu", copy=True)

    def trace(self, attacked: Tensor, mask: Tensor | None) -> Trace:
        """What was collected, with the result as the last frame."""
        if self._most > 0:
            self._frames[len(self._loss)] = attacked.to("cpu", copy=True)
        return Trace(
            attacked=attacked,
            mask=mask,
            frames=_stacked(list(self._frames.values()), attacked),
            frame_iterations=tuple(self._frames),
            loss=_stacked(self._loss, attacked[:, 0, 0, 0]),
            probability=_stacked(self._probability, attacked[:, 0, 0, 0]),
        )


def _stacked(rows: list[Tensor], like: Tensor) -> Tensor:
    """``rows`` as one tensor (R, ...) on the CPU; where there are none, (0, ...) of the shape of ``like``."""
    return torch.stack(rows).cpu() if rows else like.new_empty((0, *like.shape), device="cpu")


class Attack(Parametrised, ABC):
    """A frozen dataclass whose fields are its parameters; it never knows whether a defense stands in front.

    ``targeted`` says what ``y`` means: "targeted" the label to reach, "untargeted" the label to leave,
    "either" where the field that ``goal_name`` names decides, "none" where labels play no part. ``iterative``
    says that it goes step by step and so takes a while; any other costs no more than a look at the photo.
    ``strength_name`` names the field that says how strong it is; "" where none does.
    """

    targeted: ClassVar[Literal["targeted", "untargeted", "either", "none"]]
    goal_name: ClassVar[str] = ""
    iterative: ClassVar[bool] = False
    strength_name: ClassVar[str] = ""
    FRAMES: ClassVar[int] = 40

    @property
    def aim(self) -> Goal:
        """Whether ``y`` is to be reached or left; where labels play no part, success is to leave it."""
        if self.targeted == "either":
            return cast(Goal, self.values()[self.goal_name])
        return "targeted" if self.targeted == "targeted" else "untargeted"

    @property
    def strength(self) -> float:
        """What tells a strong attack from a weak one of the same class; 0 where nothing does."""
        return float(self.values()[self.strength_name]) if self.strength_name else 0.0

    @property
    def target_label(self) -> str | None:
        """The label that it is after by itself, whatever ``y`` is; None where it is after none."""
        return None

    def run(
        self,
        x: Tensor,
        y: Tensor,
        model: nn.Module,
        progress: Progress | None = None,
        *,
        frames: int = FRAMES,
    ) -> Trace:
        """Attacks photos on a model, and keeps the way.

        Args:
            x: (B, 3, H, W) in [0, 1]; left as it is.
            y: (B,) numbers of labels, the ones to reach or to leave.
            model: photos -> logits (B, labels); left as it is. One that answers at random says in ``draws``
                how many answers a gradient is averaged over.
            progress: called after each iteration; what it raises ends the attack.
            frames: the most iterates to keep; 0 for none, since those of a batch of photos take much memory.

        Raises:
            ValueError: ``x`` is no batch of photos, or ``y`` not one label for each.
        """
        x, y = _checked(x, y)
        trail = Trail(progress, frames)
        attack = self.fitted(model)
        with torch.enable_grad():
            attacked = attack.perturb(x, y, model, trail)
        return trail.trace(attacked.detach(), attack.mask(x))

    def fitted(self, model: nn.Module) -> Self:
        """The attack with every choice made that it leaves to the model; itself where there is none."""
        del model
        return self

    @abstractmethod
    def perturb(self, x: Tensor, y: Tensor, model: nn.Module, trail: Trail) -> Tensor:
        """The algorithm: the attacked photos (B, 3, H, W) in [0, 1]; ``trail`` is told each iteration."""

    def mask(self, x: Tensor) -> Tensor | None:
        """(B, 1, H, W), 1 where the attack may write into ``x``; None where it may write everywhere."""
        del x
        return None

    def steps(self, x: Tensor, y: Tensor, model: nn.Module, progress: Progress | None = None) -> list[Step]:
        """Photo, where the attack may write, signed difference, result."""
        return story_of(x, self.run(x, y, model, progress, frames=0))

    def __call__(self, x: Tensor, y: Tensor, model: nn.Module) -> Tensor:
        """The attacked photos, (B, 3, H, W) in [0, 1]."""
        return by_name(self.steps(x, y, model), "result").map


def _checked(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """``x`` without its graph, and ``y`` beside it on its device."""
    if x.ndim != 4 or x.shape[1] != 3 or not x.is_floating_point() or 0 in x.shape:
        raise ValueError(f"photos are floats of shape (B, 3, H, W), not {x.dtype} of {tuple(x.shape)}")
    low, high = x.aminmax()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"photos have values from 0 to 1, not {low.item():g} to {high.item():g}")
    if y.shape != x.shape[:1] or y.is_floating_point() or y.is_complex():
        raise ValueError(
            f"labels are whole numbers, one for each of {len(x)}, not {y.dtype} of {tuple(y.shape)}"
        )
    return x.detach(), y.detach().to(x.device, torch.long)


def story_of(x: Tensor, trace: Trace) -> list[Step]:
    """The steps of an attack that has run."""
    steps = [Step("photo", x, "photo", "The photo as the classifier gets it.")]
    if trace.mask is not None:
        steps.append(
            Step(
                "patch mask",
                trace.mask,
                "mask",
                "White: where the attack may write.",
                empty="the patch lies on no pixel",
            )
        )
    steps.append(
        Step(
            "perturbation",
            trace.attacked - x,
            "signed",
            "What the attack adds and takes away.",
            r"x' - x",
            empty="the attack changed nothing",
        )
    )
    steps.append(Step("result", trace.attacked, "photo", "What the classifier now sees."))
    return steps


def succeeded(logits: Tensor, y: Tensor, goal: Goal) -> Tensor:
    """(B,) bool: whether ``y`` (B,) is reached, or left, in ``logits`` (B, labels) of attacked photos."""
    predicted = logits.argmax(1)
    y = y.to(predicted.device)
    return predicted == y if goal == "targeted" else predicted != y


def probability_of(y: Tensor, logits: Tensor) -> Tensor:
    """(B,) softmax probability of labels ``y`` (B,) in ``logits`` (B, labels)."""
    return logits.softmax(1).gather(1, y[:, None])[:, 0]


def normals(shape: torch.Size | tuple[int, ...], seed: int, like: Tensor) -> Tensor:
    """Standard normal numbers (B, ...), the same draws for each photo, so that alone equals in a batch."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape[1:], generator=generator).to(like).expand(shape)


def uniforms(shape: torch.Size | tuple[int, ...], seed: int, like: Tensor) -> Tensor:
    """Numbers (B, ...) evenly spread over [0, 1), the same draws for each photo, as ``normals``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape[1:], generator=generator).to(like).expand(shape)
