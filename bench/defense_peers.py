"""What people would use instead of a defense of ours, with the same parameters."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.plain_loop import deflected
from classifiers.base import Classifier
from defenses import Defense, PixelDeflection

Peer = Callable[[], Any]
"""The peer at work on its own form of the photos, which was made beforehand."""


@dataclass(frozen=True, eq=False)
class Photographs:
    """The same photos in every form that a peer may want, so that no peer's time holds a conversion.

    Attributes:
        x: (B, 3, H, W) float32 in [0, 1], on the device.
        classifier: which a peer may ask.
    """

    x: Tensor
    classifier: Classifier

    @property
    def planes(self) -> NDArray[np.float32]:
        """(B, 3, H, W)."""
        return self.x.cpu().numpy()

    @property
    def pictures(self) -> NDArray[np.float32]:
        """(B, H, W, 3)."""
        return np.ascontiguousarray(self.planes.transpose(0, 2, 3, 1))


def peers_of(name: str, defense: Defense, photographs: Photographs) -> Mapping[str, Callable[[], Peer]]:
    """Peer -> what makes it ready, for the defense ``name`` with its parameters; empty where there is none.

    What makes it ready imports the peer, which may not be installed.
    """
    values: Mapping[str, Any] = defense.values()
    match name:
        case "jpeg":
            return {
                "Pillow": partial(_pillow, photographs, values["quality"]),
                "ART": partial(_art, photographs, "JpegCompression", channels_first=True, **values),
                "kornia": partial(_kornia_jpeg, photographs, values["quality"]),
            }
        case "gaussian":
            side, sigma = values["kernel"], values["sigma"]
            return {
                "scikit-image": partial(_skimage_gaussian, photographs, side, sigma),
                "kornia": partial(
                    _kornia, photographs, "gaussian_blur2d", (side, side), (sigma, sigma), "reflect"
                ),
            }
        case "median":
            side = values["window"]
            return {
                "scikit-image": partial(_skimage_median, photographs, side),
                "ART": partial(_art, photographs, "SpatialSmoothing", channels_first=True, window_size=side),
                "kornia": partial(_kornia, photographs, "median_blur", (side, side)),
            }
        case "bilateral":
            side = 2 * int(np.ceil(3 * values["sigma_spatial"])) + 1
            spatial = (values["sigma_spatial"],) * 2
            return {
                "scikit-image": partial(_restoration, photographs, "denoise_bilateral", **values),
                "kornia": partial(
                    _kornia, photographs, "bilateral_blur", (side, side), values["sigma_color"], spatial
                ),
            }
        case "tvm":
            return {
                "scikit-image": partial(_restoration, photographs, "denoise_tv_chambolle", **values),
                "ART": partial(_art, photographs, "TotalVarMin", channels_last=True),
            }
        case "bit-depth":
            return {"ART": partial(_art, photographs, "FeatureSqueezing", bit_depth=values["bits"])}
        case "non-local-means":
            sigma = values["sigma"]
            options = {"patch_size": 5, "patch_distance": 6, "fast_mode": True}
            return {
                "scikit-image": partial(
                    _restoration, photographs, "denoise_nl_means", h=0.8 * sigma, sigma=sigma, **options
                )
            }
        case "pixel-deflection":
            return {"a plain loop": partial(_loop, photographs, defense)}
    return {}


def _each(photographs: Photographs, function: Callable[[Any], Any]) -> Peer:
    """``function`` of photo after photo (H, W, 3), as float64."""
    pictures = photographs.pictures.astype(np.float64)
    return lambda: np.stack([function(picture) for picture in pictures])


def _restoration(photographs: Photographs, name: str, **options: Any) -> Peer:
    from skimage import restoration

    return _each(photographs, partial(getattr(restoration, name), channel_axis=-1, **options))


def _skimage_gaussian(photographs: Photographs, side: int, sigma: float) -> Peer:
    from skimage.filters import gaussian

    return _each(
        photographs,
        partial(gaussian, sigma=sigma, mode="mirror", truncate=(side // 2) / sigma, channel_axis=-1),
    )


def _skimage_median(photographs: Photographs, side: int) -> Peer:
    from skimage.filters import median

    window = np.ones((side, side, 1))
    return _each(photographs, partial(median, footprint=window, mode="mirror"))


def _pillow(photographs: Photographs, quality: int) -> Peer:
    pictures = np.rint(photographs.pictures * 255).astype(np.uint8)

    def saved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return lambda: np.stack([saved(picture) for picture in pictures])


def _art(photographs: Photographs, name: str, *, channels_last: bool = False, **options: Any) -> Peer:
    from art.defences import preprocessor

    defense = getattr(preprocessor, name)(clip_values=(0.0, 1.0), **options)
    given = photographs.pictures if channels_last else photographs.planes
    return lambda: defense(given)[0]


def _kornia(photographs: Photographs, name: str, *options: Any) -> Peer:
    from kornia import filters

    function = getattr(filters, name)
    return lambda: function(photographs.x, *options)


def _kornia_jpeg(photographs: Photographs, quality: int) -> Peer:
    from kornia.enhance import jpeg_codec_differentiable

    of = torch.full((len(photographs.x),), float(quality), device=photographs.x.device)
    return lambda: jpeg_codec_differentiable(photographs.x, of)


def _loop(photographs: Photographs, defense: Defense) -> Peer:
    """Moves pixels by a Python loop, then scikit-image's wavelets; the map is given."""
    from skimage.restoration import denoise_wavelet

    assert isinstance(defense, PixelDeflection)
    values: Mapping[str, Any] = defense.values()
    with torch.no_grad():
        spared = defense.spared(photographs.x, photographs.classifier)[:, 0].cpu().numpy()
    pictures = photographs.pictures
    smooth = partial(
        denoise_wavelet, sigma=values["sigma"], mode=values["shrinkage"], convert2ycbcr=True, channel_axis=-1
    )

    def work() -> NDArray[np.float32]:
        moved = deflected(pictures, spared, values["deflections"], values["window"])
        return np.stack([smooth(picture) for picture in moved])

    return work
