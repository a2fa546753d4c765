"""timm's classifiers: any of them by name, with official weights or as the architecture of one's own."""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from classifiers.base import Classifier, ClassifierError, Progress
from classifiers.builtin import read_card
from classifiers.download import fetch_file
from classifiers.weights import State, fit, read_state

PREFIX = "timm/"
"""In front of timm's own names, by every door."""
OFFERED = (
    "timm/vit_tiny_patch16_224",
    "timm/vit_small_patch16_224",
    "timm/deit_small_patch16_224",
    "timm/swin_tiny_patch4_window7_224",
    "timm/convnextv2_tiny",
    "timm/mobilenetv4_conv_small",
)
"""Those that are listed; all others of timm's can be had by name."""
HUB = "https://huggingface.co"
"""Where timm's weights are kept."""
BEFORE_THE_LAST_BLOCK = "the tokens in front of the last block, laid out as a map"
TOKENS = "the last tokens, laid out as a map"
_FILE = "model.safetensors"
_LARGEST = 512
"""Of the working sizes, in px."""
_NAME = re.compile(rf"{PREFIX}(?!www)[a-z0-9]\w*(\.\w+)?", re.ASCII | re.IGNORECASE)
"""No page takes such a name for markup or for a link."""
_LONGEST_NAME = 100


def is_timm(name: str) -> bool:
    """Whether ``name`` asks for one of timm's, which may not exist."""
    return name.startswith(PREFIX)


def may_be_timm(name: str) -> bool:
    """Whether ``name`` looks like one of timm's with its prefix, without asking timm."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


class MappedNetwork(nn.Module):
    """One of timm's networks whose last feature map passes through a module of its own, ``map``.

    What lies there, (B, C, h, w), is a convolutional stage's output, or tokens laid out as a map: the last
    ones, or, where the logits are read off a class token alone, which no longer asks the others, those in
    front of the last block. (B, 3, H, W), normalised -> (B, labels) logits.

    Args:
        network: timm's.
        side: the only size in px that it takes, to which photos are resized; None if it takes any.
    """

    def __init__(self, network: nn.Module, side: int | None) -> None:
        super().__init__()
        self.network = network
        self.map = nn.Identity()
        self.side = side
        self._channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        self._before_the_last_block = False

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        if self.side is not None and x.shape[-2:] != (self.side, self.side):
            x = F.interpolate(x, (self.side, self.side), mode="bilinear", align_corners=False, antialias=True)
        network: Any = self.network
        features = network.forward_features(x)
        return network.forward_head(features if self._before_the_last_block else self.passed(features))

    def passed(self, features: Tensor) -> Tensor:
        """``features``, having passed through ``map``: they come back as they were.

        Raises:
            ValueError: they cannot be laid out as a map.
        """
        if not isinstance(features, Tensor) or features.ndim not in (3, 4):
            raise ValueError("no map")
        if features.ndim == 4:
            if self._channels_last:
                return self.map(features.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            return self.map(features)
        # (B, tokens, C): those of the places in a square, behind what stands for the whole photo.
        side = math.isqrt(features.shape[1])
        whole, places = features.split([features.shape[1] - side**2, side**2], dim=1)
        laid_out = self.map(places.unflatten(1, (side, side)).permute(0, 3, 1, 2))
        return torch.cat([whole, laid_out.flatten(2).transpose(1, 2)], dim=1)

    @torch.no_grad()
    def stand_in(self, x: Tensor) -> str:
        """What lies in ``map`` where that is no convolutional stage's output, in words; else empty."""
        if self._before_the_last_block:
            return BEFORE_THE_LAST_BLOCK
        network: Any = self.network
        return TOKENS if self._channels_last or network.forward_features(x).ndim == 3 else ""

    def look_before_the_last_block(self) -> None:
        """Moves ``map`` in front of the network's last block.

        Raises:
            ValueError: the network has no blocks.
        """
        blocks = getattr(self.network, "blocks", None)
        if not isinstance(blocks, nn.Sequential | nn.ModuleList) or not len(blocks):
            raise ValueError("no blocks")
        self._before_the_last_block = True
        blocks[-1] = _Behind(self.passed, blocks[-1])


class _Behind(nn.Module):
    """A block, and what its input passes through first."""

    def __init__(self, first: Callable[[Tensor], Tensor], block: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.block = block

    def forward(self, x: Tensor, *rest: Any, **options: Any) -> Tensor:
        """As the block's own."""
        return self.block(self.first(x), *rest, **options)


@dataclass(frozen=True)
class TimmEntry:
    """One of timm's networks.

    Attributes:
        name: with the prefix.
        facts: of its official weights: address, size, normalisation.
    """

    name: str
    facts: Any

    @property
    def size(self) -> int:
        """Side in px at which it was measured."""
        return min(self.facts.input_size[-1], _LARGEST)

    def build(self, labels: int) -> nn.Module:
        """The network for that many labels, with random weights, on the CPU.

        Not on the meta device: some keep what is no weight, such as the places of a window, in buffers.

        Raises:
            ClassifierError: it cannot be built.
        """
        try:
            return _timm().create_model(self.name.removeprefix(PREFIX), num_classes=labels)
        except Exception:  # hundreds of builders, each with needs of its own
            raise ClassifierError(f"timm cannot build {self.name} for {labels} labels") from None

    def filled(self, weights: bytes | Path, what: str, labels: int) -> nn.Module:
        """The network with the weights of a file.

        Raises:
            ClassifierError: as ``read_state`` and ``fit``.
        """
        network = self.build(labels)
        fit(network, _converted(read_state(weights, what), network), what, labels=labels)
        return network.eval()

    def parts(self, network: nn.Module) -> tuple[MappedNetwork, nn.Module, nn.Linear | None, str]:
        """(network, stage, head, stand_in) of a network with weights; use the network that comes back.

        The head is the linear layer where the logits are exactly what it makes of the map's mean, which is
        tried on a photo of noise.

        Raises:
            ClassifierError: there is no map that the logits follow from.
        """
        for module in network.modules():
            if getattr(module, "inplace", False):
                # Would overwrite what a hook on the module before it has kept.
                module.inplace = False  # type: ignore[assignment]
        mapped = MappedNetwork(network, self.facts.input_size[-1] if self.facts.fixed_input_size else None)
        noise = torch.rand(1, 3, self.size, self.size, generator=torch.Generator().manual_seed(0))
        try:
            logits, kept, slope = _looked(mapped, noise)
            if not slope.any():
                mapped.look_before_the_last_block()
                logits, kept, slope = _looked(mapped, noise)
            if not slope.any():
                raise ValueError("the logits do not follow from the map")
            stand_in = mapped.stand_in(noise)
        except Exception:  # what its own code says of a network that is built in another way
            raise ClassifierError(f"{self.name} has no feature map that Unfool knows how to read") from None
        head: Any = mapped.network
        head = head.get_classifier()
        return mapped, mapped.map, head if _is_exact(head, kept, logits) else None, stand_in


def find_timm(name: str) -> TimmEntry:
    """The entry of that name, with the prefix; nothing is downloaded.

    Raises:
        ClassifierError: timm does not know it, or is not installed.
    """
    timm = _timm()
    wanted = name.removeprefix(PREFIX)
    if wanted not in {*timm.list_models(), *timm.list_pretrained()}:
        close = difflib.get_close_matches(wanted, timm.list_models(), n=5)
        hint = f"; did you mean {', '.join(PREFIX + one for one in close)}?" if close else ""
        raise ClassifierError(f"timm has no classifier {wanted!r}{hint}")
    return TimmEntry(name, timm.get_pretrained_cfg(wanted))


def load_timm(name: str, *, device: torch.device, progress: Progress | None = None) -> Classifier:
    """The classifier, its weights downloaded into torch.hub's folder on first use.

    Raises:
        ClassifierError: an unknown name, other labels than ImageNet's 1000, no network, no space.
    """
    entry = find_timm(name)
    labels = read_card("imagenet")["labels"]
    if entry.facts.num_classes != len(labels):
        raise ClassifierError(
            f"{name} has {entry.facts.num_classes} outputs, not ImageNet's 1000 labels; "
            "use it as the architecture of your own classifier"
        )
    if not entry.facts.hf_hub_id:
        raise ClassifierError(
            f"{name} has no official weights; use it as the architecture of your own classifier"
        )
    file = entry.facts.hf_hub_filename or _FILE
    path = Path(torch.hub.get_dir()) / "checkpoints" / f"{entry.facts.hf_hub_id.replace('/', '--')}--{file}"
    path, digest = fetch_file(
        f"{HUB}/{entry.facts.hf_hub_id}/resolve/main/{file}", path, title(name), progress
    )
    filled = entry.filled(path, f"The weight file of {title(name)}", len(labels))
    network, stage, head, stand_in = entry.parts(filled)
    return Classifier(
        name,
        network,
        labels,
        identity=f"{name}:{digest}",
        mean=entry.facts.mean,
        std=entry.facts.std,
        working_size=entry.size,
        crop_share=entry.facts.crop_pct,
        stage=stage,
        head=head,
        stand_in=stand_in,
    ).to(device)


def title(name: str) -> str:
    """``vit_tiny_patch16_224 (timm)``."""
    return f"{name.removeprefix(PREFIX)} (timm)"


def _looked(network: MappedNetwork, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, the map, and the gradient of all logits on it, 0 where they do not follow from it."""
    kept: list[Tensor] = []
    hook = network.map.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    try:
        with torch.enable_grad():
            logits = network(x.clone().requires_grad_())
            weights = torch.linspace(-1, 1, logits.shape[1])
            (slope,) = torch.autograd.grad((logits * weights).sum(), kept[-1], allow_unused=True)
    finally:
        hook.remove()
    return logits.detach(), kept[-1].detach(), torch.zeros(1) if slope is None else slope


def _is_exact(head: Any, features: Tensor, logits: Tensor) -> bool:
    """Whether the logits are what the linear layer ``head`` makes of the mean of ``features``."""
    if not isinstance(head, nn.Linear) or head.in_features != features.shape[1]:
        return False
    with torch.no_grad():
        own = head(features.mean((2, 3)))
    return own.shape == logits.shape and torch.allclose(own, logits, rtol=1e-4, atol=1e-4)


def _converted(state: State, network: nn.Module) -> State:
    """``state`` under today's names, where timm knows how to rename older files of this family."""
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        return convert(state, network)
    except Exception:  # made for its own files; what is wrong with another, ``fit`` says
        return state


def _timm() -> ModuleType:
    # Imported on demand: it takes a second, and most classifiers do without.
    try:
        import timm
    except Exception:  # a build of torchvision that does not match torch's fails in many ways
        raise ClassifierError("timm is missing or does not match the installed torch") from None
    return timm
