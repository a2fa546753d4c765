"""Torchvision's networks: where their last convolutional stage and their linear head are."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from classifiers.base import ClassifierError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
_WEIGHTS = "IMAGENET1K_V1"
"""The weights that papers report on; torchvision's later ones were trained by other recipes."""


@dataclass(frozen=True)
class Architecture:
    """One of torchvision's networks.

    Attributes:
        name: torchvision's name for it.
        title: its name in papers.
        stage: path of the module whose output is the last convolutional feature map.
        head: path of the linear layer, where only a global average pooling stands between it and ``stage``.
        relu: a ReLU, which is no module of its own, stands behind ``stage``.
        mean, std: per channel. Google's two networks were trained on [-1, 1]; torchvision reaches that by a
            second normalisation (``transform_input``) behind ImageNet's, and this is both in one.
        training_only: beginnings of the names of weights that only training uses.
        options: further arguments of torchvision's builder.
    """

    name: str
    title: str
    stage: str
    head: str | None = None
    relu: bool = False
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    training_only: tuple[str, ...] = ()
    options: tuple[tuple[str, bool], ...] = ()

    def weights(self) -> WeightsEnum:
        """The official weights: address, labels, sizes.

        Raises:
            ClassifierError: torchvision is not usable here.
        """
        return _torchvision_models().get_model_weights(self.name)[_WEIGHTS]

    def size_and_crop_share(self) -> tuple[int, float]:
        """``Classifier.working_size`` and ``crop_share`` by which the official weights were measured.

        Raises:
            ClassifierError: torchvision is not usable here.
        """
        preset = self.weights().transforms()
        return preset.crop_size[0], preset.crop_size[0] / preset.resize_size[0]

    def build(self, labels: int) -> nn.Module:
        """The network for that many labels, without weights, on the meta device.

        Raises:
            ClassifierError: torchvision is not usable here.
        """
        models = _torchvision_models()
        with torch.device("meta"):
            return models.get_model(self.name, weights=None, num_classes=labels, **dict(self.options))

    def parts(self, network: nn.Module) -> tuple[nn.Module, nn.Module, nn.Linear | None]:
        """(network, stage, head) of a network with weights; use the network that comes back."""
        for module in network.modules():
            if getattr(module, "inplace", False):
                # Would overwrite what a hook on the module before it has kept.
                module.inplace = False  # type: ignore[assignment]
        stage = network.get_submodule(self.stage)
        if self.head is None:
            return network, stage, None
        head = network.get_submodule(self.head)
        assert isinstance(head, nn.Linear)
        if self.relu:
            network = Pooled(nn.Sequential(stage, nn.ReLU()), head)
            stage = network.stage
        return network, stage, head


class Pooled(nn.Module):
    """A convolutional stage, global average pooling, one linear layer: (B, 3, H, W) -> (B, labels)."""

    def __init__(self, stage: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.stage = stage
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W), normalised -> (B, labels) logits."""
        return self.head(self.stage(x).mean((2, 3)))


_GOOGLE: dict[str, Any] = {
    "mean": HALF,
    "std": HALF,
    "options": (("aux_logits", False), ("init_weights", False)),
}

ARCHITECTURES = (
    Architecture("resnet18", "ResNet-18", "layer4", "fc"),
    Architecture("resnet34", "ResNet-34", "layer4", "fc"),
    Architecture("resnet50", "ResNet-50", "layer4", "fc"),
    Architecture("resnet101", "ResNet-101", "layer4", "fc"),
    Architecture("resnet152", "ResNet-152", "layer4", "fc"),
    Architecture("wide_resnet50_2", "Wide ResNet-50-2", "layer4", "fc"),
    Architecture("resnext50_32x4d", "ResNeXt-50 32x4d", "layer4", "fc"),
    Architecture("vgg11", "VGG11", "features.19"),
    Architecture("vgg13", "VGG13", "features.23"),
    Architecture("vgg16", "VGG16", "features.29"),
    Architecture("vgg16_bn", "VGG16 with batch norm", "features.42"),
    Architecture("vgg19", "VGG19", "features.35"),
    Architecture("vgg19_bn", "VGG19 with batch norm", "features.51"),
    Architecture("inception_v3", "Inception v3", "Mixed_7c", "fc", training_only=("AuxLogits.",), **_GOOGLE),
    Architecture("googlenet", "GoogLeNet", "inception5b", "fc", training_only=("aux1.", "aux2."), **_GOOGLE),
    Architecture("mobilenet_v2", "MobileNet v2", "features", "classifier.1"),
    Architecture("mobilenet_v3_large", "MobileNet v3 large", "features"),
    Architecture("mobilenet_v3_small", "MobileNet v3 small", "features"),
    Architecture("efficientnet_b0", "EfficientNet-B0", "features", "classifier.1"),
    Architecture("efficientnet_b3", "EfficientNet-B3", "features", "classifier.1"),
    Architecture("efficientnet_v2_s", "EfficientNetV2-S", "features", "classifier.1"),
    Architecture("convnext_tiny", "ConvNeXt-Tiny", "features"),
    Architecture("convnext_small", "ConvNeXt-Small", "features"),
    Architecture("densenet121", "DenseNet-121", "features", "classifier", relu=True),
    Architecture("densenet169", "DenseNet-169", "features", "classifier", relu=True),
    Architecture("mnasnet1_0", "MNASNet 1.0", "layers", "classifier.1"),
    Architecture("shufflenet_v2_x1_0", "ShuffleNet v2 x1.0", "conv5", "fc"),
    Architecture("squeezenet1_1", "SqueezeNet 1.1", "features"),
    Architecture("alexnet", "AlexNet", "features.11"),
)
"""In the order in which they are offered. Without a head: more than a linear layer behind the pooling."""


def find_architecture(name: str) -> Architecture | None:
    """The entry of that name."""
    return next((entry for entry in ARCHITECTURES if entry.name == name), None)


def _torchvision_models() -> ModuleType:
    # Imported on demand: it takes seconds, and the built-in classifier does without.
    try:
        from torchvision import models
    except Exception:  # a build that does not match torch's fails in many ways
        raise ClassifierError(
            "torchvision is missing or does not match the installed torch; use the built-in classifier"
        ) from None
    return models
