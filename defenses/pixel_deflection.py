"""Pixel Deflection: shuffle a few pixels where the object is not, then smooth away the traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifiers.base import Classifier
from defenses.base import Defense, difference_step, photo_step
from explain import COMBINATIONS, FLOOR, doubt, kept_with_it, robust_cam, robust_cam_name
from ops import restoration
from ops.deflection import Deflections, deflect, draw, moved
from ops.straight_through import clipped
from ops.wavelets import WAVELETS, Shrinkage, denoise, mosaic
from story import Step, param
from story.param import Value

DENOISERS = ("wavelet", "tvm", "bilateral", "non-local-means", "wiener", "none")
SMOOTHED = ("wavelet bands", "result", "difference")
DEFLECTED = ("deflected", "moved", *SMOOTHED)
SMALLEST_SIGMA = 1e-3
"""In front of denoisers that divide by it."""
MAPPED = ("robust cam", *DEFLECTED)


@dataclass(frozen=True)
class PixelDeflection(Defense):
    """``deflections`` times in a row, a pixel takes the colour of one nearby; then wavelets smooth the photo.

    A pixel is skipped with the probability that the robust CAM (R-CAM) has there, so that most copies fall
    where the object is not. The maps in it are combined by the paper's weights; the post's geometric mean,
    a choice, lies over a floor here (``explain.class_maps.combined``). Equal to the post's sequential loop
    for the same draws; its test ``x + a > 0``, which leaves out the first row and column, is read as a slip.

    Source: Prakash et al. 2018, "Deflecting Adversarial Attacks with Pixel Deflection", and the authors'
    post.
    """

    title: ClassVar[str] = "Pixel Deflection"
    source: ClassVar[str] = (
        "Prakash, Moran, Garber, DiLillo and Storer 2018, and the authors' post of that year"
    )
    gradient: ClassVar[str] = (
        "exact for the draws made, which do not follow the map's gradient; straight-through at "
        "the final clip and at every denoiser but the wavelets"
    )
    paper: ClassVar[Mapping[str, Value]] = {"deflections": 1500}
    seed_name: ClassVar[str] = "seed"

    deflections: int = param(
        200,
        low=0,
        high=2000,
        step=10,
        unit="pixels",
        help="how many copies are made; with the map the post makes 1500",
        moves=DEFLECTED,
    )
    window: int = param(
        10,
        low=1,
        high=30,
        step=1,
        unit="px",
        help="how far away a pixel may get its colour from",
        moves=DEFLECTED,
    )
    map: str = param(
        "robust-cam",
        choices=("robust-cam", "none"),
        help="spare the pixels where the predicted objects are, or none",
        moves=MAPPED,
    )
    top_k: int = param(
        5,
        low=1,
        high=10,
        step=1,
        unit="labels",
        help="how many predicted labels the robust CAM combines",
        moves=MAPPED,
    )
    combine: str = param(
        COMBINATIONS[0],
        choices=COMBINATIONS,
        help="how their maps become one: the paper's weights 1/2, 1/4, 1/8, …, or the post's geometric mean",
        moves=MAPPED,
        advanced=True,
    )
    channels: str = param(
        "together",
        choices=("together", "each"),
        help="red, green and blue move together, or each by itself, as in the post's code",
        moves=DEFLECTED,
        advanced=True,
    )
    denoiser: str = param(
        "wavelet", choices=DENOISERS, help="what smooths the photo afterwards", moves=SMOOTHED
    )
    sigma: float = param(
        0.04,
        low=0,
        high=0.3,
        step=0.01,
        unit="of white",
        help="standard deviation of the noise that wavelets, bilateral filter and non-local means take away",
        moves=SMOOTHED,
    )
    estimate: bool = param(
        False,
        help="let the wavelets estimate the noise of each channel instead",
        moves=SMOOTHED,
        advanced=True,
    )
    wavelet: str = param("db1", choices=WAVELETS, help="which wavelet", moves=SMOOTHED, advanced=True)
    levels: int = param(
        0,
        low=0,
        high=6,
        step=1,
        unit="levels",
        help="of the wavelet transform; 0: three less than there can be",
        moves=SMOOTHED,
        advanced=True,
    )
    shrinkage: str = param(
        "soft",
        choices=("soft", "hard"),
        help="draw all coefficients towards 0, or only set the small ones to 0",
        moves=SMOOTHED,
        advanced=True,
    )
    ycbcr: bool = param(
        True,
        help="smooth brightness and colour differences instead of red, green, blue",
        moves=SMOOTHED,
        advanced=True,
    )
    weight: float = param(
        0.05,
        low=0.01,
        high=1,
        step=0.01,
        unit="× roughness",
        help="how much smoothness counts for tvm and wiener",
        moves=SMOOTHED,
        advanced=True,
    )
    seed: int = param(0, low=0, high=9999, step=1, help="draws the pixels", moves=DEFLECTED)

    def is_random(self, model: Classifier) -> bool:  # noqa: ARG002
        """As long as pixels move."""
        return self.deflections > 0

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:
        """Photo, robust CAM, deflected photo, where pixels moved, coefficients, result, difference."""
        spared = self.spared(x, model)
        copies = self.draws(spared, [self.seed])
        deflected = deflect(x, copies)
        result, bands = self.smooth(deflected)
        size = (x.shape[-2], x.shape[-1])
        whence = arrows(copies, size[1])
        return [
            photo_step(x),
            Step(
                "robust cam",
                spared,
                "heat",
                doubt(robust_cam_name(self.combine), model)
                or "Where the predicted objects are; bright pixels are spared.",
                self._map_formula(),
                empty="the maps of the predicted labels are the same everywhere"
                if self.map != "none"
                else "there is no map: every pixel is as likely to be moved as any other",
            ),
            Step(
                "deflected",
                deflected,
                "photo",
                "Some pixels have a neighbour's colour: few enough for the object, too many for the attack? "
                "Zoom in to see whence each came.",
                r"x_p \leftarrow x_{p + \delta}, \quad \delta \in [-w, w]^2, \quad P(p) \propto 1 - R_p",
                arrows=whence,
            ),
            Step(
                "moved",
                moved(copies, *size),
                "mask",
                "White where a pixel has another's colour: are there more of them off the object than on it?",
                arrows=whence,
                empty="no pixel was moved",
            ),
            Step(
                "wavelet bands",
                mosaic(bands.after, bands.rest, bands.before, size),
                "heat",
                "What is left of the details, coarse to fine from the top left; noise should be gone.",
                self._shrinkage_formula(),
                empty="no detail is left",
            ),
            Step(
                "result",
                result,
                "photo",
                "What the classifier now sees: the moved pixels should be smoothed away.",
            ),
            difference_step(
                result,
                x,
                "All that was changed: moved pixels stand out, and whatever detail the denoiser took.",
            ),
        ]

    def _map_formula(self) -> str:
        if self.map == "none":
            return "R = 0"
        if self.combine == "geometric-mean":
            over = rf"{FLOOR:g} + {1 - FLOOR:g}\, \mathrm{{minmax}}\, \mathrm{{CAM}}_k"
            return rf"R = \mathrm{{minmax}} \left( \prod_{{k=1}}^{{K}} ({over}) \right)^{{1/K}}"
        return r"R = \mathrm{minmax} \sum_{k=1}^{K} 2^{-k}\, \mathrm{minmax}\, \mathrm{CAM}_k"

    def _shrinkage_formula(self) -> str:
        if self.denoiser != "wavelet":
            return r"\hat{d} = d"
        threshold = r"t = \sigma^2 / \sqrt{\overline{d^2} - \sigma^2}"
        soft = self.shrinkage == "soft"
        shrunk = r"\mathrm{sign}(d)\, (|d| - t)_+" if soft else r"d\, [\, |d| \geq t \,]"
        return rf"\hat{{d}} = {shrunk}, \quad {threshold}"

    def spared(self, x: Tensor, model: Classifier) -> Tensor:
        """The probability with which each pixel is skipped, (B, 1, H, W)."""
        if self.map == "none":
            return torch.zeros_like(x[:, :1])
        return robust_cam(x, model, top_k=self.top_k, combination=self.combine)

    def deflected(self, x: Tensor, spared: Tensor, seeds: Sequence[int]) -> Tensor:
        """The photos with their pixels moved, (B, 3, H, W); one seed for all photos, or one for each."""
        return deflect(x, self.draws(spared, seeds))

    def draws(self, spared: Tensor, seeds: Sequence[int]) -> Deflections:
        """The copies, in order; one seed for all photos, or one for each."""
        rows = 3 if self.channels == "each" else 1
        by_map = self.map != "none"
        return draw(spared, self.deflections, self.window, seeds=seeds, rows=rows, by_map=by_map)

    def smooth(self, deflected: Tensor) -> tuple[Tensor, Shrinkage]:
        """The deflected photos denoised, (B, 3, H, W) in [0, 1], and the wavelet coefficients of this.

        After a denoiser that is not the wavelets' these are its result's, and nothing is shrunk.
        """
        if self.denoiser == "wavelet":
            bands = self._bands(deflected, None if self.estimate else self.sigma)
            return clipped(bands.result), bands
        result = clipped(self._without_wavelets(deflected))
        return result, self._bands(result, 0.0)

    def _without_wavelets(self, deflected: Tensor) -> Tensor:
        match self.denoiser:
            case "tvm":
                return restoration.total_variation(deflected, self.weight)
            case "bilateral":
                return restoration.bilateral(deflected, max(self.sigma, SMALLEST_SIGMA), 2.0)
            case "non-local-means":
                return restoration.non_local_means(deflected, max(self.sigma, SMALLEST_SIGMA))
            case "wiener":
                return restoration.wiener(deflected, self.weight)
            case _:
                return deflected

    def _bands(self, x: Tensor, sigma: float | None) -> Shrinkage:
        return _denoised(
            x,
            sigma=sigma,
            wavelet=self.wavelet,
            mode=self.shrinkage,
            levels=self.levels,
            ycbcr=self.ycbcr,
        )


_denoised = kept_with_it(denoise)
"""For the views of its inside, which look at the very photo that the steps denoised."""


def arrows(copies: Deflections, width: int) -> Tensor:
    """Whence each moved pixel has its colour in the end: (B, N, 4), row and column from and to."""
    end = copies.end
    lines = torch.stack(
        [end.origins // width, end.origins % width, end.targets // width, end.targets % width], -1
    )
    return torch.where(end.last[..., None], lines, -1).flatten(1, 2)
