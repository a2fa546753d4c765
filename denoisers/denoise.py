"""All that a denoiser makes of photos, by name."""

from __future__ import annotations

from torch import Tensor

from denoisers.network import Denoiser, fused
from ops.straight_through import clipped

SL, M = "sl", "m"
"""The Y-Net's two decoders: for small and large strengths, and for medium ones."""
RESULT = "result"
UNCERTAINTIES = (f"U {SL}", f"U {M}")
WEIGHT = "W"


def denoised(network: Denoiser, x: Tensor) -> dict[str, Tensor]:
    """Each photo that ``network`` makes of ``x`` (B, 3, H, W), clipped to [0, 1], of the same shape.

    A single head's is the "result"; several are "head 1", "head 2", ...; a Y-Net's are "sl" and "m", and the
    "result" where it fuses them.
    """
    return denoised_and_maps(network, x)[0]


def denoised_and_maps(network: Denoiser, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """As ``denoised``, and beside it the maps (B, 1, H, W) by which two photos are fused.

    Those are ``UNCERTAINTIES`` and ``WEIGHT``; none where nothing is fused.
    """
    filtered, unsure = network.denoised(x)
    photos = [clipped(photo) for photo in filtered]
    if len(photos) == 1:
        return {RESULT: photos[0]}, {}
    if network.fusion is None:
        return {f"head {number}": photo for number, photo in enumerate(photos, 1)}, {}
    weight = network.weight(unsure)
    by_name = {SL: photos[0], M: photos[1], RESULT: fused(photos[0], photos[1], weight)}
    return by_name, {**dict(zip(UNCERTAINTIES, unsure, strict=True)), WEIGHT: weight}
