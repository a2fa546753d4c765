"""The calls behind the pages: one at a time on the device, each thing only once, memory bounded."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

import classifiers
from attacks import ATTACKS, Attack, Report, labels_for
from attacks.universal_patch import PATCHES, Patch, with_patches
from classifiers import Classifier
from defenses import Defense, Oblivious, Threat
from evaluation.one_photo.story import Story, attacked_story, defended_story
from evaluation.one_photo.sweep import values_over
from explain import Memo, logits, remember, remembering, saliency, share_inside
from photos import Photo
from story import Step
from story.render import render, to_png
from ui.session.parameters import MOST_SLIDER_STOPS
from ui.session.shelf import Shelf

OUT_OF_MEMORY = (
    "There is not enough memory on the device for this; choose a smaller working size or another classifier"
)
_MEMO_BYTES = 48_000_000
_NAME = 40
"""Letters of the name of a patch."""
_GIVE_WAY = 0.005
"""Seconds between two parts of work in the background."""
_RIBBON_PIXELS = 3_000_000
"""Of all photos that pass a classifier together: a large one needs a kilobyte for each."""
_device = threading.Lock()
_LOG = logging.getLogger("unfool")

Value = TypeVar("Value")


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
        threat: what the attacker knows of the defense.
        against: the defense that he goes through; None where he is oblivious.
    """

    name: str
    attack: Attack
    target: str | None
    threat: Threat = field(default_factory=Oblivious)
    against: Defense | None = None

    @property
    def key(self) -> tuple[Hashable, ...]:
        """All that decides what the attack does."""
        return self.name, *self.attack.values().items(), self.target, self.threat, self.against

    @property
    def instant(self) -> bool:
        """Whether it costs no more than a look at the photo, so that it need not be asked for."""
        one_pass = all(parameter.name != "iterations" for parameter in self.attack.parameters())
        return one_pass and not self.threat.knows


@runtime_checkable
class _Strong(Protocol):
    """A defense with a strength λ: which it is for a photo, all before it, and all from it on."""

    lam: float | str

    def lam_of(self, x: Tensor) -> float: ...

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
        seen: whether the page knows that it is finished; what may only be shown then asks this, because
            ``finished`` may change while the page is drawn.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.parts: list[Value] = []
        self.finished = False
        self.error: Exception | None = None
        self.seen = False
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Has it end after the part that it is at; what is there stays."""
        self._stopped.set()

    def start(self, parts: Callable[[], Iterator[Value]], memo: Memo) -> Background[Value]:
        """Collects what ``parts`` gives in a thread of its own, and is itself."""

        def run() -> None:
            rest = parts()
            try:
                while not self._stopped.is_set():
                    with on_device(), remembering(memo):
                        self.parts.append(next(rest))
                    # Or this thread would have the device again before those who wait for it.
                    time.sleep(_GIVE_WAY)
            except StopIteration:
                pass
            except ValueError as error:
                self.error = error
            except Exception as error:
                _LOG.exception("Background work failed")
                self.error = error
            finally:
                self.finished = True

        threading.Thread(target=run, daemon=True).start()
        return self


class Workbench:
    """What one visitor's session has computed and brought; freed when the tab closes."""

    def __init__(self) -> None:
        self.memo = Memo(_MEMO_BYTES)
        self.own_photo: Photo | None = None
        self.own_classifier: Classifier | None = None
        self.classifier = classifiers.default_name()
        """Name of the shared classifier that was last in use."""
        self.patches: dict[str, Patch] = {}
        """The visitor's own, by name."""
        self.attacks: Mapping[str, type[Attack]] = ATTACKS
        """The registry, with his patches in it."""
        self.training: Background[Any] | None = None
        """Of a patch, the last that he began."""
        self.scene: Scene | None = None
        """What the sidebar says."""
        self._named: set[str] = set()
        self._stories: Shelf[Story] = Shelf(12)
        """Photos, clean or attacked, without a defense and without the attack's iterates."""
        self._frames: Shelf[Frames] = Shelf(8)
        self._ribbons: Shelf[Ribbon] = Shelf(32)
        self._answers: Shelf[Any] = Shelf(32)
        self._backgrounds: Shelf[Background[Any]] = Shelf(4)
        self._last: Shelf[Attempt] = Shelf(6)

    def close(self) -> None:
        """Ends what goes on in the background."""
        if self.training is not None:
            self.training.stop()

    # --- patches -------------------------------------------------------------------------------------------

    def keep_patch(self, name: str, patch: Patch) -> str:
        """Puts ``patch`` among the visitor's own and gives the name under which it lies there.

        No two patches of a visit have the same name, so that it can stand for the patch in keys.
        """
        name = re.sub(r"\s+", " ", name).strip()[:_NAME] or "patch"
        candidates = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
        name = next(known for known in candidates if known not in PATCHES and known not in self._named)
        self._named.add(name)
        self._own({**self.patches, name: patch})
        return name

    def drop_patch(self, name: str) -> None:
        """Takes one of the visitor's own away."""
        self._own({known: patch for known, patch in self.patches.items() if known != name})

    def _own(self, patches: dict[str, Patch]) -> None:
        self.patches = patches
        self.attacks = {**ATTACKS, "universal-patch": with_patches(patches)} if patches else ATTACKS

    # --- attacks -------------------------------------------------------------------------------------------

    def has_run(self, scene: Scene, attempt: Attempt) -> bool:
        """Whether this very attack on this very photo lies on the bench."""
        return self._stories.get((scene.key, attempt.key)) is not None

    def last(self, scene: Scene, *, knows: bool = False) -> Attempt | None:
        """The attack that last ran to its end on this photo, as long as its result is kept.

        ``knows``: of those that go through a defense, else of the others.
        """
        attempt = self._last.get((scene.key, knows))
        return attempt if attempt is not None and self.has_run(scene, attempt) else None

    def story(
        self,
        scene: Scene,
        attempt: Attempt | None = None,
        defense: Defense | None = None,
        progress: Callable[[Report], None] | None = None,
    ) -> Story:
        """The photo, attacked, defended. An attack that has run does not run again.

        An attacker who knows a defense goes through the one that he knows, whatever ``defense`` then gets the
        photo; by default that is the same. ``progress`` is called with the device free for others; what it
        raises ends the run.

        Raises:
            ValueError: what was chosen does not fit, or the memory does not suffice.
        """

        def report(now: Report) -> None:
            if progress is not None:
                probability = now.probability.cpu()
                with device_lent():
                    progress(replace(now, probability=probability))

        known = self._stories.get(key := (scene.key, attempt.key if attempt else None))
        defense = defense or (attempt.against if attempt else None)
        with on_device():
            before = known or attacked_story(
                scene.photo,
                scene.classifier,
                attempt.attack if attempt else None,
                target=attempt.target if attempt else None,
                size=scene.size,
                memo=self.memo,
                progress=report,
                threat=attempt.threat if attempt else None,
                assumed=attempt.against if attempt else None,
            )
            story = before
            if defense is not None:
                story = defended_story(before, scene.classifier, defense, memo=self.memo)
        if attempt is not None and story.trace is not None:
            if known is None:
                self._frames.put(key, _frames(story))
            self._last.put((scene.key, attempt.threat.knows), attempt)
        if known is None:
            self._stories.put(key, _without_frames(before))
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
        return self._frames.get((scene.key, attempt.key))

    # --- defenses ------------------------------------------------------------------------------------------

    def ribbon(self, scene: Scene, attempt: Attempt | None, story: Story) -> Ribbon | None:
        """The defense of ``story`` for every λ, in one batch; None for a defense without λ.

        What the classifier says for each λ of the slider is then known when the slider comes there.
        """
        defense = story.defense
        if defense is None or not isinstance(defense, _Strong):
            return None
        rest = tuple((name, value) for name, value in defense.values().items() if name != "lam")
        key = (scene.key, attempt.key if attempt else None, type(defense).__name__, rest)
        known = self._ribbons.get(key)
        if known is not None:
            return known
        lams = np.array(values_over(defense.parameter("lam"), MOST_SLIDER_STOPS), np.float64)
        x, model = (story.attacked or story.clean).x, scene.classifier
        with on_device(), remembering(self.memo), torch.no_grad():
            region = defense.region(x, model)

            def probabilities(strengths: Tensor) -> Tensor:
                smoothed = defense.smooth(x, region, strengths)
                scores = model(smoothed)
                if x.device.type == "cpu":  # elsewhere to read their bytes takes as long as to ask again
                    for photo, said in zip(smoothed.split(1), scores.split(1), strict=True):
                        remember(logits, said, photo, model)
                return scores.softmax(1).cpu()

            strengths = torch.from_numpy(lams).to(x).view(-1, 1, 1, 1)
            most = max(1, _RIBBON_PIXELS // (x.shape[2] * x.shape[3]))
            found = torch.cat([_in_batches(probabilities, part) for part in strengths.split(most)])
        return self._ribbons.put(key, Ribbon(lams, found.numpy()))

    def strength(self, story: Story) -> float:
        """The λ that the defense of ``story`` has on its photo.

        Raises:
            TypeError: it has none.
        """
        if not isinstance(story.defense, _Strong):
            raise TypeError("a defense without λ")
        if not isinstance(story.defense.lam, str):
            return story.defense.lam
        with on_device(), torch.no_grad():
            return story.defense.lam_of((story.attacked or story.clean).x)

    def scored(self, function: Callable[[], Tensor]) -> float:
        """The number that ``function`` gives, alone on the device and with the memo at hand."""
        with on_device(), remembering(self.memo), torch.no_grad():
            return float(function())

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
        return self._backgrounds.put(key, Background[Value](total).start(parts, self.memo))

    def gazes(self, scene: Scene, story: Story, methods: tuple[str, ...], **options: Any) -> list[Gaze]:
        """Where the classifier looks on the photo that is defended, by each of ``methods``."""
        x = (story.attacked or story.clean).x
        mask = story.trace.mask if story.trace is not None else None
        marks = [self.memo.mark(maps) for maps in (x, mask) if maps is not None]
        key = ("gazes", scene.classifier.identity, methods, *sorted(options.items()), *marks)
        known = self._answers.get(key)
        if known is not None:
            return known
        found = []
        for method in methods:
            with on_device(), remembering(self.memo):
                looked = saliency(x, scene.classifier, method=method, **options)
            picture = to_png(render(Step(method, looked, "heat", own_scale=True)))
            total = float(looked.sum())
            share = float(share_inside(looked, mask.to(looked))) if mask is not None and total else None
            found.append(Gaze(method, picture, share))
        return self._answers.put(key, found)


def _without_frames(story: Story) -> Story:
    """The iterates are kept as files: as numbers they would take a hundred times the memory of the rest."""
    if story.trace is None:
        return story
    return replace(story, trace=replace(story.trace, frames=story.trace.frames[:0]))


def _frames(story: Story) -> Frames:
    seen = story.defended if story.threat.knows else story.attacked
    assert story.trace is not None and seen is not None
    iterates = Step("iterate", story.trace.frames[:, 0], "photo")
    watched = story.source if story.target is None else story.target
    return Frames(
        [to_png(render(iterates, number)) for number in range(len(iterates.map))],
        story.trace.frame_iterations,
        [*story.trace.probability[:, 0].tolist(), float(seen.probabilities[watched])],
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


@st.cache_resource(scope="session", max_entries=1, show_spinner=False, on_release=Workbench.close)
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
