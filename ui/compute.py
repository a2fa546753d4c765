"""The calls behind the pages: one at a time on the device, each thing only once, memory bounded."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

import classifiers
from attacks import Attack, Report, Trace, labels_for
from classifiers import Classifier
from defenses import Defense
from evaluation.run import Story, run_story
from explain import Memo, logits, remembering, saliency
from photos import Photo
from story import Step
from story.render import render, to_png

OUT_OF_MEMORY = (
    "There is not enough memory on the device for this; choose a smaller working size or another classifier"
)
_MEMO_BYTES = 48_000_000
_RIBBON_PIXELS = 3_000_000
"""Of all photos that pass a classifier together: a large one needs a kilobyte for each."""
_device = threading.Lock()
_LOG = logging.getLogger("unfool")

Value = TypeVar("Value")


class Shelf(Generic[Value]):
    """The things last used, at most ``most`` of them; threads may share one."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._things: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """What lies under ``key``, or None."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
            return self._things.get(key)

    def put(self, key: Hashable, value: Value) -> Value:
        """Keeps ``value`` and gives it back; the longest unused goes where there is no room."""
        with self._lock:
            self._things[key] = value
            self._things.move_to_end(key)
            while len(self._things) > self.most:
                self._things.popitem(last=False)
        return value


@contextmanager
def on_device() -> Iterator[None]:
    """The device for oneself: one visitor computes at a time.

    Raises:
        ValueError: the device's memory did not suffice.
    """
    with _device:
        try:
            yield
        except (torch.OutOfMemoryError, MemoryError):
            error = ValueError(OUT_OF_MEMORY)
        except RuntimeError as failure:
            # The CPU's allocator has no type of its own for it.
            if "alloc" not in str(failure):
                raise
            error = ValueError(OUT_OF_MEMORY)
        else:
            return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise error


@contextmanager
def device_lent() -> Iterator[None]:
    """Inside ``on_device``: lets others have the device for a moment."""
    _device.release()
    try:
        yield
    finally:
        _device.acquire()


@dataclass(frozen=True, eq=False)
class Scene:
    """What everything is done to: a photo at a working size, and the classifier that looks at it."""

    photo: Photo
    size: int
    classifier: Classifier

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All that decides what the classifier gets and says."""
        return self.photo.digest, self.size, self.classifier.identity, str(self.classifier.device)


@dataclass(frozen=True, eq=False)
class Attempt:
    """An attack with its target, as chosen.

    Attributes:
        name: in the registry.
        attack: with its parameters.
        target: label to reach; None for a random one, or where the attack takes none.
    """

    name: str
    attack: Attack
    target: str | None

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All that decides what the attack does."""
        return self.name, *self.attack.values().items(), self.target

    @property
    def instant(self) -> bool:
        """Whether it costs no more than a look at the photo, so that it need not be asked for."""
        return all(parameter.name != "iterations" for parameter in self.attack.parameters())


@runtime_checkable
class _Strong(Protocol):
    """A defense with a strength λ, whose field is ``lam``: all before it, and all from it on."""

    lam: float

    def region(self, x: Tensor, model: Classifier) -> Tensor: ...

    def smooth(self, x: Tensor, region: Tensor, lam: float | Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Frames:
    """An attack's iterates as pictures.

    Attributes:
        pictures: PNG files.
        numbers: iteration of each.
        series: probability of the watched label at every iterate from the start to the result.
        watched: that label.
    """

    pictures: list[bytes]
    numbers: tuple[int, ...]
    series: list[float]
    watched: str


@dataclass(frozen=True, eq=False)
class Ribbon:
    """What the classifier says for every strength of a defense.

    Attributes:
        lams: (N,) strengths.
        probabilities: (N, labels).
    """

    lams: NDArray[np.float64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gaze:
    """Where the classifier looks, by one method.

    Attributes:
        method: of ``explain.SALIENCIES``.
        png: the map.
        on_patch: share of the map inside the patch; None without one.
    """

    method: str
    png: bytes
    on_patch: float | None


class Background(Generic[Value]):
    """Work that goes on while the visitor looks at what is there.

    Attributes:
        total: how many parts there will be.
        parts: those that are there.
        finished: whether no more will come.
        error: what ended it early, or None.
        seen: whether the page has been drawn since it is finished.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.parts: list[Value] = []
        self.finished = False
        self.error: Exception | None = None
        self.seen = False


class Workbench:
    """What one visitor's session has computed and brought; freed when the tab closes."""

    def __init__(self) -> None:
        self.memo = Memo(_MEMO_BYTES)
        self.own_photo: Photo | None = None
        self.own_classifier: Classifier | None = None
        self.classifier = classifiers.BUILTIN
        """Name of the shared classifier that was last in use."""
        self.scene: Scene | None = None
        """What the sidebar says."""
        self._runs: Shelf[tuple[Trace, Frames]] = Shelf(8)
        self._ribbons: Shelf[Ribbon] = Shelf(32)
        self._answers: Shelf[Any] = Shelf(32)
        self._backgrounds: Shelf[Background[Any]] = Shelf(4)
        self._last: Shelf[Attempt] = Shelf(6)

    # --- attacks -------------------------------------------------------------------------------------------

    def has_run(self, scene: Scene, attempt: Attempt) -> bool:
        """Whether this very attack on this very photo lies on the bench."""
        return self._runs.get((scene.key, attempt.key)) is not None

    def last(self, scene: Scene) -> Attempt | None:
        """The attack that last ran to its end on this photo, as long as its result is kept."""
        attempt = self._last.get(scene.key)
        return attempt if attempt is not None and self.has_run(scene, attempt) else None

    def story(
        self,
        scene: Scene,
        attempt: Attempt | None = None,
        defense: Defense | None = None,
        progress: Callable[[Report], None] | None = None,
    ) -> Story:
        """The photo, attacked, defended. An attack that has run does not run again.

        ``progress`` is called with the device free for others; what it raises ends the run.

        Raises:
            ValueError: what was chosen does not fit, or the memory does not suffice.
        """

        def report(now: Report) -> None:
            if progress is not None:
                probability = now.probability.cpu()
                with device_lent():
                    progress(replace(now, probability=probability))

        key = (scene.key, attempt.key) if attempt else None
        known = self._runs.get(key) if key else None
        with on_device():
            story = run_story(
                scene.photo,
                scene.classifier,
                attempt.attack if attempt else None,
                defense,
                target=attempt.target if attempt else None,
                size=scene.size,
                memo=self.memo,
                progress=report,
                trace=known[0] if known else None,
            )
        if attempt is not None and story.trace is not None:
            if known is None:
                # Kept as files: as numbers the iterates would take a hundred times the memory of the rest.
                self._runs.put(key, (replace(story.trace, frames=story.trace.frames[:0]), _frames(story)))
            self._last.put(scene.key, attempt)
        return story

    def watched(self, scene: Scene, attempt: Attempt) -> str:
        """The label whose probability tells how the attack goes: its target, or the label to leave."""
        model = scene.classifier
        with on_device(), remembering(self.memo), torch.no_grad():
            scores = logits(scene.photo.working(scene.size).to(model.device), model)
        target = None if attempt.target is None else model.index(attempt.target)
        return model.labels[
            int(labels_for(attempt.attack, scores, target, getattr(attempt.attack, "seed", 0)))
        ]

    def frames(self, scene: Scene, attempt: Attempt) -> Frames | None:
        """The iterates of an attack, if it has run."""
        known = self._runs.get((scene.key, attempt.key))
        return known[1] if known else None

    # --- defenses ------------------------------------------------------------------------------------------

    def ribbon(self, scene: Scene, attempt: Attempt | None, story: Story) -> Ribbon | None:
        """The defense of ``story`` for every λ, in one batch; None for a defense without λ."""
        defense = story.defense
        if defense is None or not isinstance(defense, _Strong):
            return None
        parameter = defense.parameter("lam")
        assert parameter.low is not None and parameter.high is not None and parameter.step is not None
        rest = tuple((name, value) for name, value in defense.values().items() if name != "lam")
        key = (scene.key, attempt.key if attempt else None, type(defense).__name__, rest)
        known = self._ribbons.get(key)
        if known is not None:
            return known
        count = round((parameter.high - parameter.low) / parameter.step) + 1
        lams = np.linspace(parameter.low, parameter.high, count)
        x, model = (story.attacked or story.clean).x, scene.classifier
        with on_device(), remembering(self.memo), torch.no_grad():
            region = defense.region(x, model)

            def probabilities(strengths: Tensor) -> Tensor:
                return model(defense.smooth(x, region, strengths)).softmax(1).cpu()

            strengths = torch.from_numpy(lams).to(x).view(-1, 1, 1, 1)
            most = max(1, _RIBBON_PIXELS // (x.shape[2] * x.shape[3]))
            found = torch.cat([_in_batches(probabilities, part) for part in strengths.split(most)])
        return self._ribbons.put(key, Ribbon(lams, found.numpy()))

    def once(self, key: tuple[Hashable, ...], function: Callable[[], Value]) -> Value:
        """What ``function`` gives, alone on the device and with the memo at hand; once for each key.

        Raises:
            ValueError: the memory does not suffice.
        """
        known = self._answers.get(key)
        if known is not None:
            return known
        with on_device(), remembering(self.memo), torch.no_grad():
            return self._answers.put(key, function())

    def aside(
        self, key: tuple[Hashable, ...], parts: Callable[[], Iterator[Value]], total: int
    ) -> Background[Value]:
        """What ``parts`` gives, in the background of the visit, part by part; once for each key."""
        known = self._backgrounds.get(key)
        if known is not None:
            return known
        work = Background[Value](total)

        def run() -> None:
            rest = parts()
            try:
                while True:
                    with on_device(), remembering(self.memo):
                        work.parts.append(next(rest))
            except StopIteration:
                pass
            except ValueError as error:
                work.error = error
            except Exception as error:
                _LOG.exception("Background work failed")
                work.error = error
            finally:
                work.finished = True

        self._backgrounds.put(key, work)
        threading.Thread(target=run, daemon=True).start()
        return work

    def gazes(self, scene: Scene, story: Story, methods: tuple[str, ...], **options: Any) -> list[Gaze]:
        """Where the classifier looks on the photo that is defended, by each of ``methods``."""
        x = (story.attacked or story.clean).x
        mask = story.trace.mask if story.trace is not None else None
        found = []
        for method in methods:
            with on_device(), remembering(self.memo):
                looked = saliency(x, scene.classifier, method=method, **options)
            picture = to_png(render(Step(method, looked, "heat", own_scale=True)))
            total = float(looked.sum())
            share = float((looked * mask.to(looked)).sum()) / total if mask is not None and total else None
            found.append(Gaze(method, picture, share))
        return found


def _frames(story: Story) -> Frames:
    assert story.trace is not None and story.attacked is not None
    iterates = Step("iterate", story.trace.frames[:, 0], "photo")
    watched = story.source if story.target is None else story.target
    return Frames(
        [to_png(render(iterates, number)) for number in range(len(iterates.map))],
        story.trace.frame_iterations,
        [*story.trace.probability[:, 0].tolist(), float(story.attacked.probabilities[watched])],
        story.labels[watched],
    )


def _in_batches(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """``function`` of all ``inputs`` (N, ...) at once, or of halves where the memory does not suffice."""
    try:
        return function(inputs)
    except torch.OutOfMemoryError:
        if len(inputs) == 1:
            raise
    torch.cuda.empty_cache()
    middle = len(inputs) // 2
    return torch.cat([_in_batches(function, inputs[:middle]), _in_batches(function, inputs[middle:])])


@st.cache_resource(scope="session", max_entries=1, show_spinner=False)
def workbench() -> Workbench:
    """This session's own."""
    return Workbench()


@st.cache_resource(max_entries=1, show_spinner=False)
def _networks() -> Shelf[Classifier]:
    """The classifiers that everybody shares: those that a name stands for."""
    return Shelf(3)


def load_classifier(
    name: str, device: str | None, progress: classifiers.Progress | None = None
) -> Classifier:
    """The classifier of that name, from the shelf where it stands there.

    Raises:
        ClassifierError: it cannot be loaded.
    """
    shelf, key = _networks(), (name, device)
    known = shelf.get(key)
    return known or shelf.put(key, classifiers.load(name, device=device, progress=progress))
