"""The loss that saliencies take the gradient of, label by label."""

import torch.nn.functional as F


def loss_of(scores, labels):
    """The cross-entropy summed over ``labels`` (B, k), label by label."""
    return sum(F.cross_entropy(scores, labels[:, rank], reduction="none") for rank in range(labels.shape[1]))
