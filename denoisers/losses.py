"""What the denoisers of the AdvFilter family learn by."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from classifiers.base import Classifier
from denoisers.config import STRENGTHS
from ops.straight_through import clipped


def image_loss(denoised: Tensor, clean: Tensor) -> Tensor:
    """L_img: the mean absolute difference of two photos' pixels, (B, 3, H, W) twice -> (B,).

    Source: Huang et al. 2021, equation 4.
    """
    return (denoised - clean).abs().mean((1, 2, 3))


def at_equal_say(losses: Tensor, eps: Tensor, power: float) -> Tensor:
    """``losses`` (B,) over the ``power`` of the strengths ``eps`` (B,), so that weak attacks count too.

    By L_img alone an attack of ε = 0.5 has 5000 times the say of one of 0.0001. Power 0 leaves the losses
    alone, as the paper does; with power 1 every strength has the same say. A clean photo counts as the
    weakest attack.
    """
    return losses / eps.clamp(min=STRENGTHS[0]) ** power


def semantic_loss(denoised: Tensor, features: Tensor, model: Classifier) -> Tensor:
    """L_sem: the mean absolute difference of the classifier's last map in front of its pooling, (B,).

    Args:
        denoised: (B, 3, H, W); clipped to [0, 1] as the classifier gets it, backwards the identity.
        features: ``semantic_features`` of the clean photos, (B, C, h, w).
        model: gives the features.

    Source: Huang et al. 2021, equation 5, which leaves the layer open.
    """
    return (model.with_features(clipped(denoised))[1] - features).abs().mean((1, 2, 3))


@torch.no_grad()
def semantic_features(clean: Tensor, model: Classifier) -> Tensor:
    """What ``semantic_loss`` compares with, (B, C, h, w), of photos (B, 3, H, W) in [0, 1]."""
    return model.with_features(clean)[1]


def fusion_loss(denoised: Tensor, opinion: Tensor, model: Classifier) -> Tensor:
    """Cross-entropy of what the classifier says of denoised photos, by what it says of the clean ones, (B,).

    Args:
        denoised: (B, 3, H, W); clipped to [0, 1] as the classifier gets it, backwards the identity.
        opinion: probabilities (B, labels) on the clean photos.
        model: the classifier.

    Source: Huang et al. 2021, section 4.2, "Training details".
    """
    return F.cross_entropy(model(clipped(denoised)), opinion, reduction="none")
