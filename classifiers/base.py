"""A classifier: a network with its labels, its normalisation and its identity inside."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class ClassifierError(ValueError):
    """A classifier that cannot be had; the message is one sentence for the visitor."""


@dataclass(frozen=True)
class Prediction:
    """One line of a ranking."""

    label: str
    probability: float


class _ChannelsLast(torch.autograd.Function):
    """Photos in the order that convolutions like best; their gradient comes back in the photos' own order."""

    @staticmethod
    def forward(_context: object, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


class Classifier(nn.Module):
    """Photos in, logits out: the only place where a mean or a standard deviation is known.

    Attributes:
        name: what the doors call it, for example ``builtin``.
        identity: name and checksum of the weights; part of every cache key.
        labels: one word or phrase per logit.
        working_size: side in px at which it was measured.
        crop_share: how much of a resized photo's short side it was shown when it was measured, 0 to 1:
            224/256 for "resize 256, crop 224", 1 for the whole.
        saliency: the saliency method that gathers on patches in this network (``explain.SALIENCIES``).
        stage: what puts out the last map in front of the pooling, (B, C, h, w), which CAM weighs.
        head: the one linear layer behind a global average pooling of ``stage``, or None where there is none.
        smallest_size: shortest side in px that the network can take.
        stand_in: what ``stage`` puts out where that is no convolutional map, in words; else empty.
        sure_from: probability of the likeliest label under which the classifier is not sure; 0 where nobody
            has measured that.
        map_health: by name of a map what was measured of it in front of this classifier, as
            ``explain.MapHealth`` has it; empty where nobody has.
    """

    mean: Tensor
    std: Tensor
    stage: nn.Module
    head: nn.Linear | None

    def __init__(
        self,
        name: str,
        network: nn.Module,
        labels: Sequence[str],
        *,
        identity: str,
        mean: Sequence[float],
        std: Sequence[float],
        working_size: int,
        crop_share: float = 1.0,
        stage: nn.Module,
        head: nn.Linear | None,
        saliency: str = "gradient",
        smallest_size: int = 1,
        stand_in: str = "",
        sure_from: float = 0.0,
        map_health: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.identity = identity
        self.labels = tuple(labels)
        self.working_size = working_size
        self.crop_share = crop_share
        self.saliency = saliency
        self.smallest_size = smallest_size
        self.stand_in = stand_in
        self.sure_from = sure_from
        self.map_health = dict(map_health or {})
        # Channel by channel inside each pixel: convolutions take a fifth less time on a CPU.
        self.network = network.to(memory_format=torch.channels_last)
        # Plain references: as submodules they would be registered twice.
        self.__dict__["stage"] = stage
        self.__dict__["head"] = head
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.eval()
        for weight in self.parameters():
            weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, labels) logits; differentiable in ``x``.

        Raises:
            ValueError: a side is under ``smallest_size``.
        """
        return self.network(self.normalised(x))

    def normalised(self, x: Tensor) -> Tensor:
        """What ``network`` gets of photos ``x`` (B, 3, H, W) in [0, 1], of the same shape.

        Raises:
            ValueError: a side is under ``smallest_size``.
        """
        if min(x.shape[-2:]) < self.smallest_size:
            raise ValueError(
                f"{self.name} needs photos of at least {self.smallest_size} px a side; "
                f"{x.shape[-2]} x {x.shape[-1]} is too small"
            )
        return _ChannelsLast.apply((x - self.mean) / self.std)

    @property
    def device(self) -> torch.device:
        """Where photos must be."""
        return self.mean.device

    def with_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, labels) and the output (B, C, h, w) of ``stage``, in one pass, graph kept."""
        kept: list[Tensor] = []
        caller = threading.get_ident()

        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            # Another thread may be using the same network for another visitor.
            if threading.get_ident() == caller:
                kept.append(output)

        hook = self.stage.register_forward_hook(keep)
        try:
            logits = self(x)
        finally:
            hook.remove()
        return logits, kept[-1]

    def index(self, label: str) -> int:
        """Number of ``label``, whatever its case; where two differ by case only, the one written alike.

        Raises:
            ValueError: not one of the labels; close ones are named.
        """
        wanted = label.strip()
        if wanted in self.labels:
            return self.labels.index(wanted)
        folded = [one.casefold() for one in self.labels]
        if wanted.casefold() in folded:
            return folded.index(wanted.casefold())
        hint = ", ".join(self._close(wanted.casefold(), folded))
        raise ValueError(f"{self.name} has no label {label!r}" + (f"; did you mean {hint}?" if hint else ""))

    def _close(self, wanted: str, folded: list[str]) -> list[str]:
        """At most five labels that contain ``wanted``, or else are spelled much like it."""
        numbers = [number for number, one in enumerate(folded) if wanted and wanted in one]
        if not numbers:
            numbers = [folded.index(one) for one in difflib.get_close_matches(wanted, folded, n=5)]
        return [self.labels[number] for number in numbers[:5]]

    def top(self, logits: Tensor, count: int = 5) -> list[list[Prediction]]:
        """The ``count`` likeliest labels of each row of ``logits`` (B, labels)."""
        values, numbers = logits.softmax(1).topk(min(count, len(self.labels)), dim=1)
        rows = zip(numbers.tolist(), values.tolist(), strict=True)
        return [
            [Prediction(self.labels[number], value) for number, value in zip(*row, strict=True)]
            for row in rows
        ]


Progress = Callable[[int, int], None]
"""Called with (done, total) while something long runs, such as a download; a total of 0 is unknown."""
