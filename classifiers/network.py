"""The built-in networks: a residual one whose maps can be explained exactly, and one in VGG's line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from classifiers.efficientnet import EfficientNetLite
from classifiers.mean_pooled import MeanPooled

WIDTHS = (48, 96, 192, 384)
DEPTHS = (1, 2, 2, 2)
VGG_WIDTHS = (16, 32, 64, 128, 320)
VGG_DEPTHS = (1, 1, 1, 2, 2)
"""Each place of the last map, one in 16 px, sees 126 px."""
POOLINGS = {"average": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}
"""How many places become few: what decides how loud a small part of the photo can be."""


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """A convolution followed directly by its batch norm, so that LRP can merge the two."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


def merge_norms(network: nn.Module) -> None:
    """Puts every batch norm that directly follows a convolution into that convolution's weights.

    The outputs stay the same, but for rounding; a pass forward and back takes a tenth less time on a CPU.
    Only for a network in evaluation mode that is not trained any further.
    """
    for part in network.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for number in reversed(range(1, len(part))):
            before, norm = part[number - 1], part[number]
            if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                part[number - 1] = fuse_conv_bn_eval(before, norm)
                del part[number]


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


class ResidualNet(MeanPooled):
    """Strided stem, four residual stages, global average pooling, ONE linear layer, so that CAM is exact."""

    def __init__(self, labels: int, widths: Sequence[int] = WIDTHS, depths: Sequence[int] = DEPTHS) -> None:
        stem = widths[0]
        layers: list[nn.Module] = [conv_norm(3, stem // 2, stride=2), nn.ReLU()]
        layers += [conv_norm(stem // 2, stem, stride=2), nn.ReLU()]
        inputs = stem
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for number in range(depth):
                layers.append(Block(inputs, width, stride=2 if stage and not number else 1))
                inputs = width
        super().__init__(layers, inputs, labels)


class EachPlace(nn.Module):
    """A linear layer that looks at each place by itself, (B, inputs, h, w) -> (B, outputs, h, w)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class VGGNet(nn.Module):
    """3x3 convolutions of stride 1, max-pooling between the stages, a fully connected head.

    In the line of Simonyan and Zisserman 2015, with batch norm. ``features`` ends before the last pooling,
    whose output of ``grid`` x ``grid`` places has weights of its own in the head for every place: what lies
    in a corner can decide by itself. The first fully connected layers can be slid over the map, in front of
    the pooling: with the last of them slid and a maximum over all places, one place decides about each label
    (Oquab et al. 2015, "Is object localization for free?"). With ``grid`` 1 and no ``hidden`` layer the head
    is one linear layer behind a global pooling.

    (B, 3, H, W), normalised -> (B, labels) logits; H, W >= 2^(stages - 1).

    Args:
        labels: number of outputs.
        widths: channels of each stage.
        depths: convolutions of each stage.
        grid: places along each side that the pooling leaves.
        hidden: units of the layer before the last; 0 for none.
        slid: how many fully connected layers look at each place by itself, before the pooling.
        pooling: one of ``POOLINGS``.
        norm: batch norm behind every convolution; VGG16 itself has none.

    Raises:
        ValueError: an unknown pooling, or more layers slid than there are, or the last one and a grid.
    """

    def __init__(
        self,
        labels: int,
        widths: Sequence[int] = VGG_WIDTHS,
        depths: Sequence[int] = VGG_DEPTHS,
        *,
        grid: int = 1,
        hidden: int = 512,
        slid: int = 1,
        pooling: str = "max",
        norm: bool = True,
    ) -> None:
        super().__init__()
        connected = 2 if hidden else 1
        if pooling not in POOLINGS:
            raise ValueError(f"the pooling is {' or '.join(POOLINGS)}, not {pooling!r}")
        if not 0 <= slid <= connected:
            raise ValueError(f"of {connected} fully connected layers {slid} cannot be slid")
        if slid == connected and grid > 1:
            raise ValueError(f"with all layers slid the grid is 1, not {grid}")
        layers: list[nn.Module] = []
        inputs = 3
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                layers.append(nn.MaxPool2d(2))
            for _ in range(depth):
                layers.append(conv_norm(inputs, width) if norm else nn.Conv2d(inputs, width, 3, padding=1))
                layers.append(nn.ReLU())
                inputs = width
        self.features = nn.Sequential(*layers)
        self.smallest_size = 2 ** (len(widths) - 1)
        before: list[nn.Module] = []
        behind: list[nn.Module] = [nn.Flatten()]
        for number, outputs in enumerate([hidden, labels] if hidden else [labels]):
            if number:
                (before if slid > number else behind).append(nn.Dropout(0.5))
            if number < slid:
                before.append(EachPlace(inputs, outputs))
            else:
                behind.append(nn.Linear(inputs * grid**2 if number == slid else inputs, outputs))
            if number + 1 < connected:
                (before if number < slid else behind).append(nn.ReLU())
            inputs = outputs
        self.before = nn.Sequential(*before)
        self.pool = POOLINGS[pooling](grid)
        self.head = nn.Sequential(*behind)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.head(self.pool(self.before(self.features(x))))

    @property
    def last_map(self) -> nn.Module:
        """What puts out the last map in front of the pooling: ``features``, or the layers slid over them."""
        return self.before if len(self.before) else self.features

    @property
    def linear_head(self) -> nn.Linear | None:
        """The one linear layer behind a global average pooling, or None where the head is another."""
        averaged = isinstance(self.pool, nn.AdaptiveAvgPool2d) and self.pool.output_size == 1
        _flatten, *connected = self.head
        alone = averaged and not len(self.before) and len(connected) == 1
        return connected[0] if alone and isinstance(connected[0], nn.Linear) else None


def build(
    architecture: str, labels: int, widths: Sequence[int], depths: Sequence[int], options: Mapping[str, Any]
) -> ResidualNet | VGGNet | EfficientNetLite:
    """The network that a card or a recipe describes, with random weights.

    Args:
        architecture: "residual", "vgg" or "efficientnet-lite".
        labels: number of outputs.
        widths: channels of each stage.
        depths: blocks or convolutions of each stage.
        options: further arguments of ``VGGNet``; none for the others.

    Raises:
        ValueError: an unknown architecture.
        TypeError: an option that it does not have.
    """
    match architecture:
        case "residual":
            return ResidualNet(labels, widths, depths, **options)
        case "vgg":
            return VGGNet(labels, widths, depths, **options)
        case "efficientnet-lite":
            return EfficientNetLite(labels, widths, depths, **options)
    raise ValueError(f"the architecture is residual, vgg or efficientnet-lite, not {architecture!r}")
