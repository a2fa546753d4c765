"""The built-in network: a small residual network whose maps can be explained exactly."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

WIDTHS = (48, 96, 192, 384)
DEPTHS = (1, 2, 2, 2)


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution followed directly by its batch norm, so that LRP can merge the two."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016); a stride is pooled in the shortcut.

    (B, inputs, H, W) -> (B, outputs, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv_norm(inputs, outputs, stride=stride)
        self.second = conv_norm(outputs, outputs)
        shortcut: list[nn.Module] = []
        if stride > 1:
            # Rounds odd sides up, as the strided convolution beside it does.
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if stride > 1 or inputs != outputs:
            shortcut.append(conv_norm(inputs, outputs, kernel=1))
        self.shortcut = nn.Sequential(*shortcut)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.relu(self.second(self.relu(self.first(x))) + self.shortcut(x))


class ResidualNet(nn.Module):
    """Strided stem, four residual stages, global average pooling, ONE linear layer.

    The single linear layer behind the pooling makes class activation maps exact: the logit of a class is the
    mean of its map plus a bias (Zhou et al. 2016). (B, 3, H, W), normalised -> (B, labels) logits; H, W >= 1.
    """

    def __init__(self, labels: int, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> None:
        super().__init__()
        stem = widths[0]
        layers: list[nn.Module] = [conv_norm(3, stem // 2, stride=2), nn.ReLU()]
        layers += [conv_norm(stem // 2, stem, stride=2), nn.ReLU()]
        inputs = stem
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for number in range(depth):
                layers.append(Block(inputs, width, stride=2 if stage and not number else 1))
                inputs = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(inputs, labels)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.head(self.pool(self.features(x)).flatten(1))
