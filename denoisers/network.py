"""The networks of the AdvFilter family: U-Net, Y-Net, and the fusion of the Y-Net's two photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from denoisers.config import DenoiserConfig
from ops.pixel_filter import pixel_filtered, stretched_filtered

LEAST = 1e-4
"""Smallest deviation of uncertainties that the fusion's inputs are divided by."""
MIDDLE = 8.0
"""Logit of the middle where a softmax makes kernels: 0.992 of an untrained one lie there."""
LEAK = 0.1
"""Share of a number below 0 that passes."""


def block(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    """3x3 convolutions, each with a leaky ReLU: (B, inputs, H, W) -> (B, outputs, H, W).

    The paper has plain ReLUs. With them the last layers die where weak attacks are learned from: what is best
    there is to leave the photo alone, and a layer that is 0 does just that, for all photos and for ever.
    """
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [
            nn.Conv2d(outputs if number else inputs, outputs, 3, padding=1),
            nn.LeakyReLU(LEAK, inplace=True),
        ]
    return nn.Sequential(*layers)


def stretched(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, h, w) -> (B, C, height, width), bilinear."""
    return F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)


T = TypeVar("T")


def _each(parts: list[T], number: int) -> list[T]:
    """One for each of ``number``, a single one being shared."""
    return parts * number if len(parts) == 1 else parts


class Decoder(nn.Module):
    """From the deepest of the encoder's maps up to the first skip's: list of maps -> (B, C, h, w)."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.skips = tuple(reversed(config.skips))
        inputs = config.widths[-1]
        self.blocks = nn.ModuleList()
        for skip in self.skips:
            outputs = config.widths[skip - 1]
            self.blocks.append(block(inputs + outputs, outputs, config.convolutions))
            inputs = outputs

    def forward(self, encoded: Sequence[Tensor]) -> Tensor:
        """As the class says."""
        maps = encoded[-1]
        for skip, convolved in zip(self.skips, self.blocks, strict=True):
            beside = encoded[skip - 1]
            maps = convolved(torch.cat((stretched(maps, *beside.shape[-2:]), beside), 1))
        return maps


class Encoder(nn.Module):
    """From a photo to ever smaller maps: (B, C, H, W) -> one (B, width, H / 2^n, W / 2^n) per block."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        inputs = 3
        for width in config.widths:
            self.blocks.append(block(inputs, width, config.convolutions))
            inputs = width

    def forward(self, maps: Tensor) -> list[Tensor]:
        """As the class says."""
        # The 8 bits of bfloat16 do not see the weak attacks.
        with torch.autocast(maps.device.type, enabled=False):
            encoded = [self.blocks[0](maps)]
        for convolved in self.blocks[1:]:
            encoded.append(convolved(F.avg_pool2d(encoded[-1], 2)))
        return encoded


class Fusion(nn.Module):
    """Six convolutions and a sigmoid: both uncertainties (B, 2, H, W) -> W (B, 1, H, W), between 0 and 1.

    What they see is standardised: how far an uncertainty has moved from its mean over clean photos, in
    standard deviations, and on a logarithm's scale, for strong attacks move it a thousand times as far as
    weak ones. ``standardise`` fits both, ``distance`` of the means from 1 and ``deviation``, (2,) each.
    Untrained, W is close to a half.

    Source: Huang et al. 2021, equation 11; its widths are not told.
    """

    distance: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        last = nn.Conv2d(width, 1, 3, padding=1)
        self.convolutions = nn.Sequential(*block(2, width, 5), last)
        self.sigmoid = nn.Sigmoid()
        # From 1, not from 0, for of a small number half precision keeps more digits.
        self.register_buffer("distance", torch.zeros(2))
        self.register_buffer("deviation", torch.ones(2))

    @torch.no_grad()
    def standardise(self, uncertainties: Tensor) -> None:
        """Fits ``distance`` and ``deviation`` to the ``uncertainties`` of clean photos, (B, 2, H, W)."""
        self.distance.copy_((1 - uncertainties).mean((0, 2, 3)))
        self.deviation.copy_(uncertainties.std((0, 2, 3)).clamp(min=LEAST))

    def standardised(self, uncertainties: Tensor) -> Tensor:
        """What the convolutions see of ``uncertainties``, (B, 2, H, W)."""
        distance, deviation = (one.view(1, 2, 1, 1) for one in (self.distance, self.deviation))
        return ((1 - uncertainties - distance) / deviation).asinh()

    def forward(self, uncertainties: Tensor) -> Tensor:
        """As the class says."""
        return self.sigmoid(self.logits(uncertainties))

    def logits(self, uncertainties: Tensor) -> Tensor:
        """W in front of the sigmoid, (B, 1, H, W)."""
        seen = self.standardised(uncertainties).contiguous(memory_format=torch.channels_last)
        return self.convolutions(seen)


class Denoiser(nn.Module):
    """An encoder and a decoder, common to all heads or each head's own; heads add to a photo or filter it.

    Untrained it leaves every photo as it is: the last layers begin at a change of 0, or at kernels that are 1
    in the middle (with softmax, nearly). The weights come from torch's global generator.

    Source: Huang et al. 2021, sections 3.2, 3.4 and 4. Not told there: the pooling (a mean here), how the
    decoder's half size becomes the photo's (bilinear here), what keeps kernels in bounds
    (``DenoiserConfig.kernels``).
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        heads = len(config.heads)
        self.encoders = nn.ModuleList(Encoder(config) for _ in range(heads if config.encoders else 1))
        self.decoders = nn.ModuleList(Decoder(config) for _ in range(heads if config.decoders else 1))
        last = config.widths[config.skips[0] - 1]
        self.heads = nn.ModuleList(nn.Conv2d(last, config.outputs, 1) for _ in range(heads))
        self.fusion = Fusion(config.fusion) if config.fusion else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for head in self.heads:
            assert isinstance(head, nn.Conv2d)
            nn.init.zeros_(head.weight)
        if self.fusion is not None:
            last_of_fusion = self.fusion.convolutions[-1]
            assert isinstance(last_of_fusion, nn.Conv2d)
            last_of_fusion.weight.data.mul_(0.1)  # W begins near a half, far from both ends
        self.to(memory_format=torch.channels_last)

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What each head predicts for photos ``x`` (B, 3, H, W): (B, 3, H, W), or kernels (B, 3 K², H, W)."""
        return [self._stretched(predicted, x) for predicted in self._predicted(self._padded(x))]

    def _stretched(self, predicted: Tensor, x: Tensor) -> Tensor:
        """What a head says of ``_padded`` photos, at the size of the photos ``x``."""
        times = 2 ** (self.config.skips[0] - 1)
        height, width = predicted.shape[-2:]
        return stretched(predicted, times * height, times * width)[..., : x.shape[-2], : x.shape[-1]]

    def _padded(self, x: Tensor) -> Tensor:
        """Photos with sides that can be halved as often as the encoder does, their border repeated."""
        step = 2 ** (len(self.config.widths) - 1)
        height, width = x.shape[-2:]
        return F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")

    def _predicted(self, padded: Tensor, only: int | None = None) -> list[Tensor]:
        """Of ``_padded`` photos, at the size that the decoder ends at; by all heads or ``only`` that one."""
        # From -1 to 1: with positive numbers alone many a ReLU would begin, and stay, at 0 for every photo.
        maps = (2 * padded - 1).contiguous(memory_format=torch.channels_last)
        encoded = _each([encoder(maps) for encoder in self.encoders], len(self.decoders))
        decoded = [decoder(ones) for decoder, ones in zip(self.decoders, encoded, strict=True)]
        # A kernel's 1 needs more digits than half precision has.
        pairs = list(zip(self.heads, _each(decoded, len(self.heads)), strict=True))
        if only is not None:
            pairs = pairs[only : only + 1]
        with torch.autocast(padded.device.type, enabled=False):
            return [self._of_head(head, maps.to(padded.dtype)) for head, maps in pairs]

    def _of_head(self, head: nn.Module, maps: Tensor) -> Tensor:
        """A head's numbers as what it puts out: kernels are brought into bounds."""
        assert isinstance(head, nn.Conv2d) and head.bias is not None
        weight, bias = head.weight.flatten(1), head.bias
        if self.config.kind == "filt":
            middle = torch.zeros(3, self.config.kernel**2, device=maps.device, dtype=maps.dtype)
            middle[:, self.config.kernel**2 // 2] = MIDDLE if self.config.kernels == "softmax" else 1
            if self.config.kernels == "residual":
                # The mean over a kernel's weights is taken off once for all pixels, not off each pixel's own.
                weight, bias = (self._less_mean(numbers) for numbers in (weight, bias[:, None]))
                bias = bias.squeeze(1)
            bias = bias + middle.flatten()
        flat = maps.contiguous().flatten(2)
        numbers = torch.baddbmm(bias[:, None], weight.expand(len(flat), -1, -1), flat)
        numbers = numbers.unflatten(2, maps.shape[-2:])
        if self.config.kind == "filt" and self.config.kernels == "softmax":
            return numbers.unflatten(1, (3, self.config.kernel**2)).softmax(2).flatten(1, 2)
        return numbers

    def _less_mean(self, numbers: Tensor) -> Tensor:
        """(3 K², C) less the mean over each kernel's K²."""
        by_kernel = numbers.unflatten(0, (3, self.config.kernel**2))
        return (by_kernel - by_kernel.mean(1, keepdim=True)).flatten(0, 1)

    def denoised(self, x: Tensor, only: int | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """Photos (B, 3, H, W) in [0, 1] -> each head's denoised photos, not clipped, and its uncertainties.

        The photos are (B, 3, H, W), the uncertainties (B, 1, H, W), of heads that filter; others have none.
        Where nothing asks for a gradient, the kernels never lie in memory at the photo's size.

        Args:
            x: the photos.
            only: number of the one head that is asked, from 0; None asks them all.
        """
        padded = self._padded(x)
        height, width = x.shape[-2:]
        predicted = self._predicted(padded, only)
        if self.config.kind == "add" or self._has_gradient(x):
            outputs = [self._stretched(one, x) for one in predicted]
            unsure = [] if self.config.kind == "add" else [uncertainty(output) for output in outputs]
            return [self.applied(x, output) for output in outputs], unsure
        pairs = [stretched_filtered(padded, kernels) for kernels in predicted]
        photos, unsure = ([maps[..., :height, :width] for maps in ones] for ones in zip(*pairs, strict=True))
        return photos, unsure

    def _has_gradient(self, x: Tensor) -> bool:
        learns = x.requires_grad or any(weight.requires_grad for weight in self.parameters())
        return learns and torch.is_grad_enabled()

    def applied(self, x: Tensor, output: Tensor) -> Tensor:
        """Photos ``x`` (B, 3, H, W) denoised by a head's ``output``; not clipped to [0, 1].

        Source: Huang et al. 2021, equations 6 and 7.
        """
        if self.config.kind == "add":
            return x + output
        # The order in which the kernels come; in another one the filter takes half as long again on a CPU.
        with torch.autocast(x.device.type, enabled=False):
            return pixel_filtered(x.contiguous(memory_format=torch.channels_last), output)

    def weight(self, uncertainties: Sequence[Tensor]) -> Tensor:
        """W (B, 1, H, W) between 0 and 1, how much the first head's photo counts beside the second's.

        Args:
            uncertainties: (B, 1, H, W) of both heads.

        Raises:
            ValueError: a network without fusion.
        """
        if self.fusion is None:
            raise ValueError("this denoiser has one photo, and nothing to fuse")
        return self.fusion(torch.cat(tuple(uncertainties), 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Photos (B, 3, H, W) in [0, 1] -> each head's denoised photos (B, 3, H, W), not clipped."""
        return self.denoised(x)[0]


def uncertainty(kernels: Tensor) -> Tensor:
    """The largest weight of each pixel's kernels: (B, 3 K², H, W) -> (B, 1, H, W).

    Near 1 a pixel stays as it is; the stronger the noise, the more its weight is spread over its neighbours.

    Source: Huang et al. 2021, equation 10.
    """
    return kernels.amax(1, keepdim=True)


def fused(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """W ⊙ first + (1 - W) ⊙ second, photos (B, 3, H, W) and W (B, 1, H, W).

    Source: Huang et al. 2021, equation 12.
    """
    return weight * first + (1 - weight) * second
