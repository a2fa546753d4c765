"""How well photos are denoised: accuracy, PSNR and SSIM to the clean photo, photo by photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from classifiers.base import Classifier
from evaluation.measures.accuracy import predicted, share
from evaluation.measures.metrics import psnr_each, ssim_each

MOST_DB = 100.0
"""What the same photo, whose PSNR is infinite, counts in a mean."""


@dataclass(frozen=True, eq=False)
class Quality:
    """Figures by photo, (N,) each.

    Attributes:
        right: whether the classifier is right.
        psnr: dB to the clean photo, at most ``MOST_DB``.
        ssim: likeness to the clean photo, up to 1.
    """

    right: Tensor
    psnr: Tensor
    ssim: Tensor

    @property
    def means(self) -> dict[str, float]:
        """Accuracy (%), PSNR (dB) and SSIM over all photos."""
        return {
            "accuracy": share(self.right),
            "psnr": round(self.psnr.mean().item(), 2),
            "ssim": round(self.ssim.mean().item(), 3),
        }


@torch.no_grad()
def quality(photos: Tensor, clean: Tensor, labels: Tensor, model: Classifier) -> Quality:
    """Figures of ``photos`` (N, 3, H, W) beside the ``clean`` ones, whose labels are (N,)."""
    return Quality(
        (predicted(model, photos) == labels.to(photos.device)).cpu(),
        psnr_each(photos, clean).clamp(max=MOST_DB).cpu(),
        ssim_each(photos, clean).cpu(),
    )


def joined(parts: list[Quality]) -> Quality:
    """Figures of several batches as those of one."""
    return Quality(
        *(torch.cat([getattr(part, name) for part in parts]) for name in ("right", "psnr", "ssim"))
    )
