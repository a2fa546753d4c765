"""Heat and Blur's hypothesis put to the test: does the heat of the clean photo survive the attack?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from attacks.base import Attack
from classifiers.base import Classifier
from defenses import HeatAndBlur
from evaluation.one_photo.story import run_story
from explain import STARTS
from ops.scaling import z_score
from photos import Photo


def correlation(heat: Tensor, other: Tensor) -> Tensor:
    """Pearson's, over the pixels: twice (B, 1, H, W) -> (B,), -1 to 1; 0 where a map is constant."""
    return (z_score(heat) * z_score(other)).mean((1, 2, 3))


@dataclass(frozen=True, eq=False)
class Heats:
    """The heat of one photo before and after an attack.

    Attributes:
        clean, attacked: (1, 1, H, W) in [0, 1].
        correlation: of the two.
    """

    clean: Tensor
    attacked: Tensor
    correlation: float


def heats(clean: Tensor, attacked: Tensor, model: Classifier, defense: HeatAndBlur) -> dict[str, Heats]:
    """By start, the heat of photo (1, 3, H, W) and of the same photo attacked; all else as in ``defense``."""
    by_start: dict[str, Heats] = {}
    for start in STARTS:
        before, after = (_heat(x, model, defense, start) for x in (clean, attacked))
        by_start[start] = Heats(before, after, correlation(before, after).item())
    return by_start


def _heat(x: Tensor, model: Classifier, defense: HeatAndBlur, start: str) -> Tensor:
    started = replace(defense, start=start)
    return started.heat(started.relevance(x, model))


@dataclass(frozen=True)
class Survival:
    """What an attack leaves of one photo's heat.

    Attributes:
        name: of the photo.
        fooled: whether the attack changes the label.
        correlations: by start, of the clean photo's heat with the attacked one's.
        another: by start, of the clean photo's heat with that of another clean photo: so much is owed to what
            photos have in common, such as an object in the middle.
    """

    name: str
    fooled: bool
    correlations: dict[str, float]
    another: dict[str, float]


def survival(
    photos: Iterable[Photo], model: Classifier, attack: Attack, defense: HeatAndBlur, *, size: int
) -> Iterator[Survival]:
    """Photo by photo, two or more of them. An attack towards a label goes for a random one.

    Raises:
        ValueError: fewer than two photos, or one that cannot be read.
    """
    share = model.crop_share
    pictures = [(photo.name, photo.working(size, share).to(model.device)) for photo in photos]
    if len(pictures) < 2:
        raise ValueError(f"heats are compared between at least 2 photos, not {len(pictures)}")
    for (name, picture), (_, following) in zip(pictures, pictures[1:] + pictures[:1], strict=True):
        story = run_story(picture, model, attack)
        assert story.attacked is not None
        by_start = heats(story.clean.x, story.attacked.x, model, defense)
        another = {
            start: correlation(kept.clean, _heat(following, model, defense, start)).item()
            for start, kept in by_start.items()
        }
        kept_by_start = {start: kept.correlation for start, kept in by_start.items()}
        yield Survival(name, story.attacked.label != story.source, kept_by_start, another)
