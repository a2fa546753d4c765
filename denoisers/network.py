"""The networks of the AdvFilter family: U-Net, Y-Net, and the fusion of the Y-Net's two photos."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from denoisers.config import DenoiserConfig
from ops.pixel_filter import pixel_filtered


def block(inputs: int, outputs: int, convolutions: int) -> nn.Sequential:
    """3x3 convolutions, each with a ReLU: (B, inputs, H, W) -> (B, outputs, H, W)."""
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [nn.Conv2d(outputs if number else inputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def stretched(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, h, w) -> (B, C, height, width), bilinear."""
    return F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)


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


class Fusion(nn.Module):
    """Six convolutions and a sigmoid: both uncertainties (B, 2, H, W) -> W (B, 1, H, W), between 0 and 1.

    Source: Huang et al. 2021, equation 11; its widths are not told.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(*block(2, width, 5), nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, uncertainties: Tensor) -> Tensor:
        """As the class says."""
        return self.convolutions(uncertainties).sigmoid()


class Denoiser(nn.Module):
    """One encoder, one decoder or one per head, and heads that add to the photo or filter it.

    Untrained it leaves every photo as it is: the last layers begin at a change of 0, or at kernels that are 1
    in the middle. The weights come from torch's global generator.

    Source: Huang et al. 2021, sections 3.2, 3.4 and 4. Not told there: the pooling (a mean here), how the
    decoder's half size becomes the photo's (bilinear here), that kernels may have any sign and sum (so here).
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.ModuleList()
        inputs = 3
        for width in config.widths:
            self.encoder.append(block(inputs, width, config.convolutions))
            inputs = width
        decoders = len(config.heads) if config.decoders else 1
        self.decoders = nn.ModuleList(Decoder(config) for _ in range(decoders))
        last = config.widths[config.skips[0] - 1]
        heads = [nn.Conv2d(last, config.outputs, 1) for _ in config.heads]
        self.heads = nn.ModuleList(heads)
        self.fusion = Fusion(config.fusion) if config.fusion else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for head in heads:
            nn.init.zeros_(head.weight)
            if config.kind == "filt":
                bias = torch.zeros(3, config.kernel**2)
                bias[:, config.kernel**2 // 2] = 1
                head.bias = nn.Parameter(bias.flatten())
        self.to(memory_format=torch.channels_last)

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What each head predicts for photos ``x`` (B, 3, H, W): (B, 3, H, W), or kernels (B, 3 K², H, W)."""
        height, width = x.shape[-2:]
        step = 2 ** (len(self.encoder) - 1)
        padded = F.pad(x, (0, -width % step, 0, -height % step), mode="replicate")
        # From -1 to 1: with positive numbers alone many a ReLU would begin, and stay, at 0 for every photo.
        maps = (2 * padded - 1).contiguous(memory_format=torch.channels_last)
        encoded: list[Tensor] = []
        for convolved in self.encoder:
            maps = convolved(F.avg_pool2d(maps, 2) if encoded else maps)
            encoded.append(maps)
        decoded = [decoder(encoded) for decoder in self.decoders]
        if len(decoded) < len(self.heads):
            decoded *= len(self.heads)
        # A kernel's 1 needs more digits than half precision has.
        with torch.autocast(x.device.type, enabled=False):
            predicted = [head(maps.to(x.dtype)) for head, maps in zip(self.heads, decoded, strict=True)]
            return [stretched(one, *padded.shape[-2:])[..., :height, :width] for one in predicted]

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
        return [self.applied(x, output) for output in self.outputs(x)]


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
