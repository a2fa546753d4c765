"""Layers, a mean over all places, one linear layer: the end of a network whose class maps are exact."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class MeanPooled(nn.Module):
    """``layers``, global average pooling, ONE linear layer.

    The single linear layer behind the pooling makes class activation maps exact: the logit of a class is the
    mean of its map plus a bias (Zhou et al. 2016). (B, 3, H, W), normalised -> (B, labels) logits; H, W >= 1.
    """

    smallest_size = 1

    def __init__(self, layers: Sequence[nn.Module], channels: int, labels: int) -> None:
        """``channels`` is what the last of ``layers`` puts out."""
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, labels)

    @property
    def last_map(self) -> nn.Module:
        """What puts out the last map in front of the pooling."""
        return self.features

    @property
    def linear_head(self) -> nn.Linear:
        """The one linear layer behind the pooling."""
        return self.head

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.head(self.pool(self.features(x)).flatten(1))
