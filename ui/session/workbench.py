"""What one visit has computed and brought: each thing only once, memory bounded."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st
import torch

import classifiers
from attacks import ATTACKS, Attack, Report, labels_for
from attacks.universal_patch import PATCHES, Patch, with_patches
from classifiers import Classifier
from defenses import Defense
from evaluation.one_photo.story import Story, attacked_story, defended_story
from explain import Memo, logits, remembering
from photos import Photo
from ui.session.background import Background
from ui.session.device import device_lent, on_device
from ui.session.iterates import Iterates, iterates_of, without_iterates
from ui.session.scene import Attempt, Scene
from ui.session.shelf import Shelf

_MEMO_BYTES = 48_000_000
_NAME = 40
"""Letters of the name of a patch."""

Value = TypeVar("Value")


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
        """The registry, with the visitor's patches in it."""
        self.training: Background[Any] | None = None
        """Of a patch, the last that the visitor began."""
        self.scene: Scene | None = None
        """What the sidebar says."""
        self._patch_names: set[str] = set()
        self._stories: Shelf[Story] = Shelf(12)
        """Photos, clean or attacked, without a defense and without the attack's iterates."""
        self._iterates: Shelf[Iterates] = Shelf(8)
        self._answers: Shelf[Any] = Shelf(64)
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
        name = next(free for free in candidates if free not in PATCHES and free not in self._patch_names)
        self._patch_names.add(name)
        self._own({**self.patches, name: patch})
        return name

    def drop_patch(self, name: str) -> None:
        """Takes one of the visitor's own away."""
        self._own({other: patch for other, patch in self.patches.items() if other != name})

    def _own(self, patches: dict[str, Patch]) -> None:
        self.patches = patches
        self.attacks = {**ATTACKS, "universal-patch": with_patches(patches)} if patches else ATTACKS

    # --- stories -------------------------------------------------------------------------------------------

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

        An attacker who knows a defense goes through the one that they know, whatever ``defense`` then gets
        the photo; by default that is the same. ``progress`` is called with the device free for others; what
        it raises ends the run.

        Raises:
            ValueError: the settings do not fit, or the memory does not suffice.
        """

        def report(now: Report) -> None:
            if progress is not None:
                probability = now.probability.cpu()
                with device_lent():
                    progress(replace(now, probability=probability))

        key = (scene.key, attempt.key if attempt else None)
        kept = self._stories.get(key)
        defense = defense or (attempt.against if attempt else None)
        with on_device():
            before = kept or attacked_story(
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
            if kept is None:
                self._iterates.put(key, iterates_of(story))
            self._last.put((scene.key, attempt.threat.knows), attempt)
        if kept is None:
            self._stories.put(key, without_iterates(before))
        return story

    def watched(self, scene: Scene, attempt: Attempt) -> str:
        """The label whose probability tells how the attack goes: its target, or the label to leave."""
        model = scene.classifier
        scores = self.computed(lambda: logits(scene.x, model))
        target = None if attempt.target is None else model.index(attempt.target)
        attack, digests = attempt.attack, (scene.photo.digest,)
        return model.labels[int(labels_for(attack, scores, target, attack.random_seed, photos=digests))]

    def iterates(self, scene: Scene, attempt: Attempt) -> Iterates | None:
        """The iterates of an attack, if it has run."""
        return self._iterates.get((scene.key, attempt.key))

    # --- all else that a page asks for ---------------------------------------------------------------------

    def computed(self, function: Callable[[], Value]) -> Value:
        """What ``function`` gives, alone on the device and with the memo at hand.

        Raises:
            ValueError: the memory does not suffice.
        """
        with on_device(), remembering(self.memo), torch.no_grad():
            return function()

    def once(self, key: tuple[Hashable, ...], function: Callable[[], Value]) -> Value:
        """What ``function`` gives, as ``computed``; once for each key.

        Raises:
            ValueError: the memory does not suffice.
        """
        answer = self._answers.get(key)
        return self._answers.put(key, self.computed(function)) if answer is None else answer

    def aside(
        self, key: tuple[Hashable, ...], parts: Callable[[], Iterator[Value]], total: int
    ) -> Background[Value]:
        """What ``parts`` gives, in the background of the visit, part by part; once for each key."""
        work = self._backgrounds.get(key)
        if work is not None:
            return work
        return self._backgrounds.put(key, Background[Value](total).start(parts, self.memo))


@st.cache_resource(scope="session", max_entries=1, show_spinner=False, on_release=Workbench.close)
def workbench() -> Workbench:
    """This session's own."""
    return Workbench()
