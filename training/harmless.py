"""Stickers that mean no harm, for a detector of adversarial patches to pass over.

Whatever stands out in a photo and covers what the classifier wants to see has a part of what makes a patch;
how often that alone is an alarm shows only on things that nobody made to deceive.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from attacks.placement import Box, pasted
from ops.coding import from_bytes

CELLS = 6
"""Squares of a chequered tag along each side."""
WORDS = ("SALE", "FRAGILE", "No. 12", "THIS SIDE UP", "OPEN", "Made with care", "EXIT", "Tuesday")
LINES = 3


def chequered(x: Tensor, side: int) -> Tensor:
    """Black and white squares in turn, (1, 3, side, side)."""
    cell = torch.arange(side) * CELLS // side
    board = (cell[:, None] + cell) % 2
    return board.to(x).expand(1, 3, -1, -1)


def lettered(x: Tensor, side: int, seed: int) -> Tensor:
    """A white label with ``LINES`` lines of print, drawn from ``WORDS``, (1, 3, side, side)."""
    which = torch.randint(len(WORDS), (LINES,), generator=torch.Generator().manual_seed(seed)).tolist()
    label = Image.new("RGB", (side, side), "white")
    pen, font = ImageDraw.Draw(label), ImageFont.load_default(max(1, side // (LINES + 1)))
    for line, word in enumerate(which):
        pen.text((side / 2, side * (line + 0.5) / LINES), WORDS[word], "black", font, anchor="mm")
    return from_bytes(pil_to_tensor(label))[None].to(x)


def shrunken(x: Tensor, side: int) -> Tensor:
    """On each photo of ``x`` (B, 3, H, W) the one before it, as small as a sticker, (B, 3, side, side)."""
    return F.interpolate(x.roll(1, 0), (side, side), mode="bilinear", antialias=True).clamp(0, 1)


STICKERS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "chequered tag": lambda x, side, _seed: chequered(x, side),
    "printed label": lettered,
    "shrunken photo": lambda x, side, _seed: shrunken(x, side),
}
"""By kind: (photos, side in px, seed) -> what is stuck onto each of them."""


def with_stickers(x: Tensor, box: Box, seed: int) -> dict[str, Tensor]:
    """Photos ``x`` (B, 3, H, W) in [0, 1] with each kind of sticker in ``box``; ``seed`` draws the print."""
    return {kind: pasted(x, box, make(x, box.side, seed)) for kind, make in STICKERS.items()}
