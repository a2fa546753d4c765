"""One photo under PGD at every strength that the denoisers know, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.pgd import PGD
from classifiers.base import Classifier
from denoisers import STRENGTHS, Denoiser
from denoisers.denoise import denoised
from evaluation.measures.metrics import psnr, ssim
from evaluation.measures.quality import MOST_DB
from ops.pixel_filter import pixel_filtered

ATTACKED = "attacked"
ALL = (0.0, *STRENGTHS)
"""No attack, then all strengths, rising."""


@dataclass(frozen=True, eq=False)
class AtStrength:
    """A photo at one strength.

    Attributes:
        eps: L∞ radius, of 1; 0 is the clean photo.
        photos: (1, 3, H, W) in [0, 1] by name: "attacked", and what the denoiser makes of it.
        psnr: dB to the clean photo by name, at most ``MOST_DB``.
        ssim: likeness to the clean photo by name, up to 1.
        labels: what the classifier says of each, by name.
    """

    eps: float
    photos: dict[str, Tensor]
    psnr: dict[str, float]
    ssim: dict[str, float]
    labels: dict[str, str]


def attacked_at_all(
    x: Tensor, y: Tensor, model: Classifier, *, iterations: int = 40, seed: int = 0
) -> Iterator[Tensor]:
    """The photo ``x`` (1, 3, H, W) under PGD at each strength of ``ALL``, of the same shape.

    Args:
        x: the clean photo in [0, 1].
        y: (1,) the label that the attack leaves.
        model: what is attacked.
        iterations: steps of PGD, each ε / 30 long.
        seed: of its random start.
    """
    for eps in ALL:
        if not eps:
            yield x
            continue
        attack = PGD(eps=eps, step=eps / 30, iterations=iterations, seed=seed)
        yield attack.run(x, y, model, frames=0).attacked


@torch.no_grad()
def denoised_at_all(
    x: Tensor, attacked: Iterable[Tensor], model: Classifier, network: Denoiser
) -> list[AtStrength]:
    """What ``network`` makes of ``attacked_at_all``'s photos.

    Args:
        x: the clean photo, (1, 3, H, W) in [0, 1].
        attacked: the photo at each strength of ``ALL``.
        model: says the labels.
        network: denoises.
    """
    at_each = []
    for eps, photo in zip(ALL, attacked, strict=True):
        photos = {ATTACKED: photo, **denoised(network, photo)}
        said = model(torch.cat(list(photos.values()))).argmax(1).tolist()
        at_each.append(
            AtStrength(
                eps,
                photos,
                {name: min(MOST_DB, psnr(x, seen)) for name, seen in photos.items()},
                {name: ssim(x, seen) for name, seen in photos.items()},
                {name: model.labels[number] for name, number in zip(photos, said, strict=True)},
            )
        )
    return at_each


@dataclass(frozen=True, eq=False)
class PixelKernel:
    """How one pixel was filtered.

    Attributes:
        kernel: (3, K, K), the weights of its neighbours in each channel, of any sign.
        before: (3, K, K) those neighbours, the border's own pixels repeated beyond it.
        after: (3, K, K) the same places filtered, each by its own kernel, before they are clipped to [0, 1];
            the middle one is the sum of ``kernel * before``.
    """

    kernel: Tensor
    before: Tensor
    after: Tensor


def pixel_kernel(x: Tensor, kernels: Tensor, row: int, column: int) -> PixelKernel:
    """The kernel of the pixel at ``row`` and ``column`` of a photo.

    Args:
        x: the photo that is filtered, (1, 3, H, W).
        kernels: a filtering head's output for it, (1, 3 K², H, W).
        row: from the top, from 0.
        column: from the left, from 0.

    Source: Huang et al. 2021, figure 4.

    Raises:
        ValueError: no such pixel.
    """
    height, width = x.shape[-2:]
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"the photo has {height} x {width} px, and none at row {row}, column {column}")
    kernel = kernels[0, :, row, column].detach()
    side = round((len(kernel) / 3) ** 0.5)
    kernel = kernel.view(3, side, side)
    around = torch.arange(side, device=x.device) - side // 2
    rows, columns = (row + around).clamp(0, height - 1), (column + around).clamp(0, width - 1)
    before, after = (photo[0].detach()[:, rows][:, :, columns] for photo in (x, pixel_filtered(x, kernels)))
    return PixelKernel(kernel, before, after)
