"""Wavelet shrinkage of a batch on the device, beside what people would use instead."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.interleaved import Entrant, Row, race, too_slow
from bench.setting import Found, LeftOut, Setting, photographs
from ops.wavelets import denoise

PART = "wavelets"
OURS, PEER = "Unfool", "scikit-image"
SIGMA = 0.04
CASES = {"BayesShrink, soft": "soft", "BayesShrink, hard": "hard"}
"""What a case is called -> its mode."""


def shrinking(setting: Setting) -> Iterator[Found]:
    """Rows of ours and the peer's at every batch."""
    for case, mode in CASES.items():
        before: list[Row] = []
        for batch in setting.batches:
            entrants = entrants_of(mode, photographs(batch, setting.size, setting.device))
            slow = too_slow(entrants, before, batch, setting.longest)
            yield from (LeftOut(PART, f"{peer} for {case}", why) for peer, why in slow.items())
            kept = [entrant for entrant in entrants if entrant.by not in slow]
            before = race(PART, case, batch, kept, setting.clock, seconds=setting.seconds)
            yield from before


def entrants_of(mode: str, x: Tensor) -> list[Entrant]:
    """Ours on photos ``x`` (B, 3, H, W), and scikit-image's on the same photos, one after the other."""
    from skimage.restoration import denoise_wavelet

    pictures = np.ascontiguousarray(x.cpu().numpy().transpose(0, 2, 3, 1))
    shrink = partial(
        denoise_wavelet, sigma=SIGMA, mode=mode, wavelet="db1", convert2ycbcr=True, channel_axis=-1
    )

    @torch.no_grad()
    def ours() -> Tensor:
        return denoise(x, sigma=SIGMA, mode=mode).result

    def peer() -> NDArray[np.float32]:
        return np.stack([shrink(picture) for picture in pictures])

    return [
        Entrant(OURS, ours, "transform"),
        Entrant(PEER, peer, "transform", (OURS, "transform"), optional=True),
    ]
