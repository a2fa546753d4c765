"""EfficientNet-Lite0: the network behind the ImageNet classifier that comes with Unfool."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from classifiers.mean_pooled import MeanPooled

WIDTHS = (16, 24, 40, 80, 112, 192, 320)
DEPTHS = (1, 2, 2, 3, 3, 4, 1)
"""Lite0's; of channels and of blocks, for each stage."""
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
_STEM, _LAST = 32, 1280
_EPSILON = 1e-3
"""Of the batch norms, as TensorFlow has it."""


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow does it: what does not go up evenly is added below and right.

    (B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        edges: list[int] = []
        for side, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            missing = max(0, (-(-side // stride) - 1) * stride + kernel - side)
            edges += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, edges) if any(edges) else x)


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution followed directly by its batch norm, so that the two can be merged."""
    if stride == 1:
        conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    else:
        conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, eps=_EPSILON))


class InvertedBlock(nn.Module):
    """Wider, a convolution in each channel, narrower; added to its input where both are alike.

    Sandler et al. 2018, without squeeze-and-excitation, which the Lite networks leave out.
    (B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [conv_norm(inputs, width, 1), nn.ReLU6()]
        layers += [conv_norm(width, width, kernel, stride, groups=width), nn.ReLU6()]
        layers.append(conv_norm(width, outputs, 1))
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return x + self.layers(x) if self.adds else self.layers(x)


class EfficientNetLite(MeanPooled):
    """Convolutions and ReLU6, global average pooling, ONE linear layer, so that CAM is exact.

    The modules stand in the order of Google's weights.

    Source: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"; the
    Lite variants are Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite".
    """

    def __init__(self, labels: int, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> None:
        layers: list[nn.Module] = [conv_norm(3, _STEM, 3, stride=2), nn.ReLU6()]
        inputs = _STEM
        stages = zip(widths, depths, _KERNELS, _STRIDES, _EXPANSIONS, strict=True)
        for width, depth, kernel, stride, expansion in stages:
            for number in range(depth):
                layers.append(InvertedBlock(inputs, width, kernel, 1 if number else stride, expansion))
                inputs = width
        super().__init__([*layers, conv_norm(inputs, _LAST, 1), nn.ReLU6()], _LAST, labels)
