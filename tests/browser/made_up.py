"""Steps and frames that look like a real story but cost nothing, for the gallery and its tests."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage import data, transform

from story import Step
from story.render import to_png
from ui.browser import Panel, panels_of

SIDE = 192
ARROWS = torch.tensor([[[90, 80, 100, 110], [-1, -1, -1, -1], [50, 50, 50, 50]]])
"""One arrow, the absence of one, and a pixel that stays where it is."""
SERIES = [(i / 120) ** 2 for i in range(121)]
CAPTIONS = [f"Iteration {10 * i} of 120: golf ball {100 * SERIES[10 * i]:.0f} %" for i in range(13)]


@lru_cache(1)
def photo() -> torch.Tensor:
    square = data.chelsea()[:300, 75:375]
    small = np.asarray(transform.resize(square, (SIDE, SIDE), anti_aliasing=True), np.float32)
    return torch.from_numpy(small).permute(2, 0, 1)[None]


def eight_bit(x: torch.Tensor) -> NDArray[np.uint8]:
    return np.rint(x[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)


def story(x: torch.Tensor, lam: float = 2.3, with_masks: bool = True) -> list[Step]:
    luma = x.mean(1, keepdim=True)
    gradient = F.pad((luma[..., 1:, 1:] - luma[..., :-1, :-1]).abs(), (0, 1, 0, 1))
    gradient = gradient / gradient.amax()
    kept = gradient * (F.interpolate(F.avg_pool2d(gradient, 16), scale_factor=16) > 0.12)
    saliency = F.interpolate(F.avg_pool2d(gradient, 24), scale_factor=24, mode="bilinear") * 0.004
    mask = (saliency > saliency.mean()).float()
    weight = lam * kept * mask
    result = x * (1 - weight).clamp(0, 1)
    long_note = (
        "Edges and noise are bright. A patch is brighter than most of what a camera sees, because each of "
        "its pixels was chosen by itself."
    )
    masks = [
        Step(
            "saliency",
            saliency,
            "heat",
            "Which pixels the classifier listens to.",
            r"M = \left|\frac{\partial \mathcal{L}}{\partial x}\right|",
            own_scale=True,
        ),
        Step("binary mask", mask, "mask", "White: more salient than the mean.", r"B = [M > \mu(M)]"),
        Step(
            "after erosion",
            1 - F.max_pool2d(1 - mask, 5, 1, 2),
            "mask",
            "Lone pixels are gone.",
            r"E = B \ominus K",
        ),
        Step(
            "after dilation",
            F.max_pool2d(mask, 5, 1, 2),
            "mask",
            "The rest has grown back.",
            r"D = E \oplus K",
        ),
        Step("selected region", kept * mask, "heat", "Where smoothing may act.", r"D \odot \hat{g}"),
    ]
    return [
        Step("photo", x, "photo", "The photo as the classifier gets it."),
        Step("local gradient", gradient, "heat", long_note, r"g = \frac{\|\nabla x\| - \min}{\max - \min}"),
        Step(
            "kept windows",
            kept,
            "heat",
            "Only busy windows stay.",
            r"\hat{g}_w = g_w \cdot [\bar{g}_w > \tau]",
        ),
        *(masks if with_masks else []),
        Step(
            "smoothing weight",
            weight,
            "heat",
            "How much of each pixel goes.",
            r"\lambda \cdot D \odot \hat{g}",
        ),
        Step(
            "result",
            result,
            "photo",
            "What the classifier sees now.",
            r"T(x) = x \odot \operatorname{clip}(1 - \lambda \cdot D \odot \hat{g}, 0, 1)",
            arrows=ARROWS,
        ),
        Step("difference", result - x, "signed", "What the defense took away.", r"T(x) - x"),
    ]


@lru_cache(8)
def panels(lam: float, with_masks: bool) -> list[Panel]:
    return panels_of(story(photo(), lam, with_masks))


@lru_cache(1)
def frames() -> list[bytes]:
    x = photo()
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    return [
        to_png(eight_bit((x + share * noise).clamp(0, 1))) for share in torch.linspace(0, 0.4, len(CAPTIONS))
    ]
