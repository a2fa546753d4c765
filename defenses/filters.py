"""The classic filters that the papers compare with: each a photo in, a smoother photo out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from classifiers.base import Classifier
from defenses.base import Defense, difference_step, photo_step
from ops import restoration
from ops.blur import gaussian_blur, median
from ops.coding import fewer_levels, jpeg
from ops.straight_through import clipped
from story import Step, param

FILTERED = ("result", "difference")


@dataclass(frozen=True)
class Filter(Defense):
    """A defense that looks at nothing but the photo, and has no steps but its result."""

    gradient: ClassVar[str] = "straight-through"
    FORMULA: ClassVar[str] = ""
    NOTE: ClassVar[str]
    """What to look for in the result."""

    @abstractmethod
    def filtered(self, x: Tensor) -> Tensor:
        """The smoother photos, (B, 3, H, W); clipped to [0, 1] afterwards."""

    def steps(self, x: Tensor, model: Classifier) -> list[Step]:  # noqa: ARG002
        """Photo, result, difference."""
        result = clipped(self.filtered(x))
        return [
            photo_step(x),
            Step("result", result, "photo", self.NOTE, self.FORMULA),
            difference_step(result, x, "All that was changed: is it the attack, or the object's own detail?"),
        ]


@dataclass(frozen=True)
class JPEG(Filter):
    """Saved as JPEG and read again: fine detail in blocks of eight pixels is rounded away.

    Source: Dziugaite et al. 2016, "A study of the effect of JPG compression on adversarial images".
    """

    title: ClassVar[str] = "JPEG"
    source: ClassVar[str] = "Dziugaite, Ghahramani and Roy 2016"
    NOTE: ClassVar[str] = "Look for blocks of eight pixels: what is finer than they are was rounded away."

    quality: int = param(75, low=1, high=100, step=1, unit="of 100", help="of the JPEG file", moves=FILTERED)

    def filtered(self, x: Tensor) -> Tensor:
        """Through the file format."""
        return jpeg(x, self.quality)


@dataclass(frozen=True)
class Gaussian(Filter):
    """A Gaussian blur: a mean of the pixels around, near ones counting most."""

    title: ClassVar[str] = "Gaussian blur"
    source: ClassVar[str] = "baseline of You-Wei and Sheng-De 2022"
    gradient: ClassVar[str] = "exact"
    FORMULA: ClassVar[str] = r"T(x) = G_\sigma * x"
    NOTE: ClassVar[str] = "Edges and noise get softer alike."

    kernel: int = param(5, low=3, high=31, step=2, unit="px", help="side of the kernel", moves=FILTERED)
    sigma: float = param(
        1.0, low=0.1, high=10, step=0.1, unit="px", help="standard deviation of the kernel", moves=FILTERED
    )

    def filtered(self, x: Tensor) -> Tensor:
        """Blurred."""
        return gaussian_blur(x, self.kernel, self.sigma)


@dataclass(frozen=True)
class Median(Filter):
    """Each pixel becomes the median of those around it, channel by channel.

    Source: Xu et al. 2018, "Feature Squeezing".
    """

    title: ClassVar[str] = "Median filter"
    source: ClassVar[str] = "Xu, Evans and Qi 2018"
    gradient: ClassVar[str] = "exact, to the pixel that is the median"
    NOTE: ClassVar[str] = "Lone pixels are gone, edges stay sharp: a noisy patch turns grey."

    window: int = param(3, low=3, high=15, step=2, unit="px", help="side of the window", moves=FILTERED)

    def filtered(self, x: Tensor) -> Tensor:
        """The median of each window."""
        return median(x, self.window)


@dataclass(frozen=True)
class Bilateral(Filter):
    """A mean of the pixels around that have nearly the same colour.

    Source: Tomasi and Manduchi 1998.
    """

    title: ClassVar[str] = "Bilateral filter"
    source: ClassVar[str] = "Tomasi and Manduchi 1998"
    NOTE: ClassVar[str] = "Areas get smooth, edges stay: is the attack finer than the edges?"

    sigma_color: float = param(
        0.1, low=0.01, high=1, step=0.01, unit="of white", help="which colours count as alike", moves=FILTERED
    )
    sigma_spatial: float = param(
        2.0, low=0.5, high=8, step=0.5, unit="px", help="how far away pixels count", moves=FILTERED
    )

    def filtered(self, x: Tensor) -> Tensor:
        """By scikit-image."""
        return restoration.bilateral(x, self.sigma_color, self.sigma_spatial)


@dataclass(frozen=True)
class TotalVariation(Filter):
    """The picture near the photo that has the least change from pixel to pixel.

    Source: Chambolle 2004; as a defense Guo et al. 2018, "Countering Adversarial Images using Input
    Transformations".
    """

    title: ClassVar[str] = "Total-variation minimisation (TVM)"
    source: ClassVar[str] = "Chambolle 2004; Guo, Rana, Cisse and van der Maaten 2018"
    FORMULA: ClassVar[str] = r"T(x) = \arg\min_z \tfrac{1}{2} \lVert z - x \rVert^2 + w\, \mathrm{TV}(z)"
    NOTE: ClassVar[str] = "Like a painting in flat colours: texture is gone, outlines stay."

    weight: float = param(
        0.1,
        low=0.01,
        high=1,
        step=0.01,
        unit="× roughness",
        help="how much smoothness counts",
        moves=FILTERED,
    )

    def filtered(self, x: Tensor) -> Tensor:
        """By scikit-image."""
        return restoration.total_variation(x, self.weight)


@dataclass(frozen=True)
class BitDepth(Filter):
    """Fewer levels of brightness in each channel.

    Source: Xu et al. 2018, "Feature Squeezing".
    """

    title: ClassVar[str] = "Bit-depth squeezing"
    source: ClassVar[str] = "Xu, Evans and Qi 2018"
    FORMULA: ClassVar[str] = r"T(x) = \mathrm{round}\left( (2^b - 1)\, x \right) / (2^b - 1)"
    NOTE: ClassVar[str] = "Bands where colours change slowly; changes smaller than a level are gone."

    bits: int = param(
        3, low=1, high=8, step=1, unit="bits", help="of each channel; 8 is a usual file", moves=FILTERED
    )

    def filtered(self, x: Tensor) -> Tensor:
        """Rounded to the levels."""
        return fewer_levels(x, self.bits)


@dataclass(frozen=True)
class NonLocalMeans(Filter):
    """A mean over pixels whose surroundings look alike.

    Source: Buades et al. 2005; as a defense Xu et al. 2018, "Feature Squeezing".
    """

    title: ClassVar[str] = "Non-local means"
    source: ClassVar[str] = "Buades, Coll and Morel 2005; Xu, Evans and Qi 2018"
    NOTE: ClassVar[str] = "Repeated texture is kept, whatever is like nothing around it is smoothed."

    sigma: float = param(
        0.05, low=0.01, high=0.3, step=0.01, unit="of white", help="of the noise to take away", moves=FILTERED
    )

    def filtered(self, x: Tensor) -> Tensor:
        """By scikit-image."""
        return restoration.non_local_means(x, self.sigma)


FILTERS: dict[str, type[Filter]] = {
    "jpeg": JPEG,
    "gaussian": Gaussian,
    "median": Median,
    "bilateral": Bilateral,
    "tvm": TotalVariation,
    "bit-depth": BitDepth,
    "non-local-means": NonLocalMeans,
}
"""By the name that every door uses."""
