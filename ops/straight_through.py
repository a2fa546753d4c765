"""Hard decisions that a gradient passes as if they were not there (BPDA)."""

from __future__ import annotations

import torch
from torch import Tensor


def straight_through(hard: Tensor, soft: Tensor) -> Tensor:
    """The values of ``hard`` with the gradient of ``soft``, of the same shape.

    Source: Athalye et al. 2018, "Obfuscated Gradients Give a False Sense of Security", section 4.1.
    """
    if not (soft.requires_grad and torch.is_grad_enabled()):
        return hard.detach()
    return hard.detach() + (soft - soft.detach())


def positive(maps: Tensor) -> Tensor:
    """1 where ``maps`` is over 0, else 0; backwards the identity."""
    return straight_through((maps > 0).to(maps), maps)


def clipped(photos: Tensor) -> Tensor:
    """``photos`` clipped to [0, 1]; backwards the identity, so that black and white have a gradient too."""
    return straight_through(photos.clamp(0, 1), photos)
