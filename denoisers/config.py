"""What tells the denoisers of the AdvFilter family apart: settings, not copies of code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STRENGTHS = (1e-4, 3e-4, 5e-4, 1e-3, 3e-3, 5e-3, 1e-2, 3e-2, 5e-2, 0.1, 0.3, 0.5)
"""The L∞ radii ε of the attacks that are learned from, photos having values from 0 to 1, rising."""
STRONG = STRENGTHS[-3:]
KINDS = ("add", "filt")
LOSSES = ("img", "sem")
KERNELS = ("residual", "softmax", "free")
PAPER_WIDTHS = (64, 128, 256, 512, 512)
SMALL_WIDTHS = (8, 16, 32, 64, 128)


@dataclass(frozen=True)
class DenoiserConfig:
    """All that shapes a denoiser and what it learns from; written into its card.

    The paper's network has ``PAPER_WIDTHS``; of these, its text fixes only the last, 14 x 14 x 512 at 224 px.

    Attributes:
        kind: "add" a predicted change to the photo, or "filt" it by a predicted kernel for each pixel.
        loss: "img" compares pixels with the clean photo's, "sem" the classifier's features.
        kernel: side K of a kernel in px, odd; for "filt" alone.
        kernels: what a head's numbers are to a kernel. "residual": less their mean, they are added to the
            kernel that leaves a pixel as it is; the sum stays 1, and weights below 0 may sharpen. "softmax":
            logits, so that no weight is below 0. "free": added as they are, so that the sum may be anything.
        widths: channels of the encoder's blocks; each but the first has half the side of the one before.
        convolutions: 3x3 convolutions of a block.
        skips: encoder blocks, counted from 1, that the decoder's blocks take up, in rising order. The decoder
            ends at the size of the first of them; what it puts out is stretched to the photo's size.
        heads: for each output, the strengths ε that it learns from.
        decoders: whether every output has a decoder of its own (the paper's Y-Net) or only its last layer.
        encoders: whether every output has an encoder of its own too; the paper's Y-Net shares one.
        fusion: channels of the convolutions that weigh two outputs against each other; 0 for none.

    Raises:
        ValueError: a value that no network can be built of, in a sentence that names it.
    """

    kind: str = "filt"
    loss: str = "img"
    kernel: int = 5
    kernels: str = "residual"
    widths: tuple[int, ...] = SMALL_WIDTHS
    convolutions: int = 3
    skips: tuple[int, ...] = (2, 3, 4)
    heads: tuple[tuple[float, ...], ...] = (STRENGTHS,)
    decoders: bool = False
    encoders: bool = False
    fusion: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.loss not in LOSSES:
            raise ValueError(f"loss is one of {', '.join(LOSSES)}, not {self.loss!r}")
        if self.kernels not in KERNELS:
            raise ValueError(f"kernels is one of {', '.join(KERNELS)}, not {self.kernels!r}")
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(f"kernel is odd and over 0, not {self.kernel}")
        if not self.skips or sorted({*self.skips}) != [*self.skips]:
            raise ValueError(f"skips rise and are not empty, unlike {self.skips}")
        if self.skips[0] < 1 or self.skips[-1] >= len(self.widths):
            raise ValueError(f"skips are blocks 1 to {len(self.widths) - 1}, not {self.skips}")
        if not self.heads or not all(self.heads):
            raise ValueError("every head learns from one strength at least, and there is one head at least")
        if self.encoders and not self.decoders:
            raise ValueError("encoders of their own have decoders of their own")
        if self.fusion and (len(self.heads) != 2 or self.kind != "filt"):
            raise ValueError("two filtering heads are fused, no other number and no other kind")

    @property
    def outputs(self) -> int:
        """Numbers per pixel that a head puts out: 3 to add, or 3 K² to filt."""
        return 3 if self.kind == "add" else 3 * self.kernel**2

    @property
    def strengths(self) -> tuple[float, ...]:
        """All ε that any head learns from, rising."""
        return tuple(sorted({strength for head in self.heads for strength in head}))

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> DenoiserConfig:
        """The configuration that a card tells as JSON, whose lists are tuples here.

        Raises:
            TypeError: an unknown name.
            ValueError: as the class says.
        """
        return cls(**{name: _tuples(value) for name, value in described.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


_PIXELWISE = (1, 2, 3, 4)
"""A change to add has to follow the noise from pixel to pixel, so it is put out at the photo's own size; at
half of it, stretched, none that lowers L_img was found. Kernels may be stretched: at the photo's size they
do no better."""
VARIANTS = {
    "add-img": DenoiserConfig(kind="add", skips=_PIXELWISE),
    "add-sem": DenoiserConfig(kind="add", loss="sem", skips=_PIXELWISE),
    "filt-img": DenoiserConfig(),
    "filt-sem": DenoiserConfig(loss="sem"),
    "filt-strong": DenoiserConfig(heads=(STRONG,)),
    "multi-head": DenoiserConfig(heads=tuple(STRENGTHS[first : first + 3] for first in range(0, 12, 3))),
    "pa-filt": DenoiserConfig(heads=(STRENGTHS, STRONG), decoders=True, encoders=True, fusion=8),
}
"""The family by the name that every door uses, in the small size."""
