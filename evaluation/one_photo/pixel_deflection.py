"""Pixel Deflection taken apart: what its map and its denoiser are made of, and what each of them gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from classifiers.base import Classifier, Prediction
from defenses import PixelDeflection
from evaluation.one_photo.story import Story
from explain import enlarged, logits, top_maps
from ops.scaling import min_max
from ops.wavelets import BANDS, mosaic
from story import Step, by_name

OBJECT = 0.5
"""From this value of the robust CAM on, a pixel counts as part of an object."""
COMBINATIONS = {
    "PD": ("none", False),
    "PD + WD": ("none", True),
    "PD + R-CAM": ("robust-cam", False),
    "PD + R-CAM + WD": ("robust-cam", True),
}
"""Name in the post's table -> the map, and whether there is a denoiser."""


def combinations(
    x: Tensor, model: Classifier, defense: PixelDeflection, seeds: Sequence[int]
) -> dict[str, Tensor]:
    """The photos by each of ``COMBINATIONS``: (B, 3, H, W), or (N, 3, H, W) for N seeds of one photo.

    Args:
        x: photos, (B, 3, H, W) in [0, 1].
        model: asked for the map, once.
        defense: all other settings. Its denoiser is what WD stands for; the wavelets where it has none.
        seeds: one for all photos, one for each, or N for a single photo.
    """
    denoiser = "wavelet" if defense.denoiser == "none" else defense.denoiser
    spared = replace(defense, map="robust-cam").spared(x, model)
    many = max(len(x), len(seeds))
    x, spared = x.expand(many, -1, -1, -1), spared.expand(many, -1, -1, -1)
    photos: dict[str, Tensor] = {}
    for sparing in ("none", "robust-cam"):
        moving = replace(defense, map=sparing, denoiser=denoiser)
        deflected = moving.deflected(x, spared, seeds)
        for name, (by, denoised) in COMBINATIONS.items():
            if by == sparing:
                photos[name] = moving.smooth(deflected)[0] if denoised else deflected
    return photos


def probabilities(
    clean: Tensor,
    attacked: Tensor,
    model: Classifier,
    defense: PixelDeflection,
    seeds: Sequence[int],
    batch: int = 64,
) -> dict[str, Tensor]:
    """The post's table for one photo: row -> probabilities (N, labels) over N seeds, as one batch.

    "clean" and "attacked" have a single row each.
    """
    pictures = {"clean": clean, "attacked": attacked, **combinations(attacked, model, defense, seeds)}
    asked = torch.cat(list(pictures.values())).split(batch)
    answers = torch.cat([model(part).softmax(1) for part in asked])
    rows = answers.split([len(picture) for picture in pictures.values()])
    return dict(zip(pictures, rows, strict=True))


@dataclass(frozen=True)
class Band:
    """The details of one direction at one scale, of the brightness (or of red).

    Attributes:
        level: 1 is the finest.
        direction: one of ``BANDS``.
        threshold: below which a coefficient is taken for noise.
        before, after: share of the coefficients that are not 0.
    """

    level: int
    direction: str
    threshold: float
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Origins:
    """What the robust CAM of one photo is made of.

    Attributes:
        top: the labels whose maps it combines, likeliest first.
        maps: their class activation maps, each stretched to [0, 1].
    """

    top: tuple[Prediction, ...]
    maps: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Inside:
    """What is inside one story of Pixel Deflection, of its only photo.

    Attributes:
        values: the robust CAM, (H, W).
        moved: whether a pixel has another's colour, (H, W).
        coefficients: two steps, the brightness's coefficients before and after shrinkage.
        bands: of the brightness, coarsest first.
    """

    values: Tensor
    moved: Tensor
    coefficients: tuple[Step, ...]
    bands: tuple[Band, ...]

    @property
    def moved_on_object(self) -> int:
        """How many of the moved pixels are part of an object."""
        return int((self.moved & (self.values >= OBJECT)).sum())


def origins(x: Tensor, model: Classifier, top_k: int) -> Origins:
    """Of the map of ``top_k`` labels for one photo (1, 3, H, W)."""
    maps = min_max(enlarged(top_maps(x, model, top_k=top_k), x.shape[-2:]))
    top = model.top(logits(x, model), maps.shape[1])[0]
    steps = (
        Step(line.label, maps[:, k : k + 1], "heat", empty="this map is the same everywhere")
        for k, line in enumerate(top)
    )
    return Origins(tuple(top), tuple(steps))


def look_inside(story: Story) -> Inside:
    """What the steps of ``story``, whose defense is Pixel Deflection, were made of.

    Raises:
        TypeError: another defense.
    """
    defense = story.defense
    if not isinstance(defense, PixelDeflection):
        raise TypeError(f"this is a story of {type(defense).__name__}")
    deflected = by_name(story.steps, "deflected").map
    shrunk = defense.smooth(deflected)[1]
    thresholds = shrunk.thresholds[0, 0].tolist()
    shares = [
        torch.stack([(level[0, 0] != 0).float().mean((-2, -1)) for level in coefficients]).tolist()
        for coefficients in (shrunk.before, shrunk.after)
    ]
    levels = len(shrunk.before)
    bands = [
        Band(
            level=levels - number,
            direction=direction,
            threshold=thresholds[number][band],
            before=shares[0][number][band],
            after=shares[1][number][band],
        )
        for number in range(levels)
        for band, direction in enumerate(BANDS)
    ]
    size = (deflected.shape[-2], deflected.shape[-1])
    after = by_name(story.steps, "wavelet bands").map
    return Inside(
        values=by_name(story.steps, "robust cam").map[0, 0],
        moved=by_name(story.steps, "moved").map[0, 0] > 0,
        coefficients=(
            Step(
                "before shrinkage",
                mosaic(shrunk.before, shrunk.rest, shrunk.before, size),
                "heat",
                empty="the photo has no detail",
            ),
            Step("after shrinkage", after, "heat", empty="no detail is left"),
        ),
        bands=tuple(bands),
    )
