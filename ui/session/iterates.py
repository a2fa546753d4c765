"""An attack's way from the photo to the attacked photo, kept as pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evaluation.one_photo.story import Story
from story import Step
from story.render import render, to_png


@dataclass(frozen=True, eq=False)
class Iterates:
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


def iterates_of(story: Story) -> Iterates:
    """The iterates of the story of an attack that has just run."""
    result = story.defended if story.threat.knows else story.attacked
    assert story.trace is not None and result is not None
    photos = Step("iterate", story.trace.frames[:, 0], "photo")
    watched = story.source if story.target is None else story.target
    return Iterates(
        [to_png(render(photos, number)) for number in range(len(photos.map))],
        story.trace.frame_iterations,
        [*story.trace.probability[:, 0].tolist(), float(result.probabilities[watched])],
        story.labels[watched],
    )


def without_iterates(story: Story) -> Story:
    """The ``story`` without them: as numbers they would take a hundred times the memory of the rest."""
    if story.trace is None:
        return story
    return replace(story, trace=replace(story.trace, frames=story.trace.frames[:0]))
