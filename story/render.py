"""The one place where a colour is chosen: a step becomes a picture, a kind becomes a legend.

Every chart takes the colours of its meanings from here.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageColor
from plotly.colors import get_colorscale

from story.step import Kind, Step

Picture = NDArray[np.uint8]
"""(H, W, 3), RGB."""

# Okabe and Ito's palette, the part that stands out 3 : 1 both from white and from the dark theme's #0e1117.
# There is no sixth such colour, so a label has the colour of the picture that speaks for it.
CLEAN = "#0072B2"
ATTACKED = "#D55E00"
DEFENDED = "#009E73"
TRUE_COLOUR = CLEAN
TARGET_COLOUR = ATTACKED
HEAT = "Inferno"
"""Plotly's name for the colours of a heat map."""
HIGHLIGHT = "#CC79A7"
NEUTRAL = "#696969"
SERIES = (CLEAN, ATTACKED, DEFENDED, HIGHLIGHT, NEUTRAL)
"""Of lines that stand for methods, in order; lines beyond these differ by their dashes."""


def _ramp(stops: Iterable[Sequence[Any]]) -> Picture:
    """The 256 colours between ``stops``, each a place in [0, 1] and Plotly's word for a colour: (256, 3)."""
    stops = list(stops)
    places = [place for place, _ in stops]
    colours = np.array([ImageColor.getrgb(colour) for _, colour in stops])
    shades = [np.interp(np.linspace(0, 1, 256), places, channel) for channel in colours.T]
    return np.rint(np.stack(shades, axis=1)).astype(np.uint8)


def _diverging() -> Picture:
    """Blue (minus) over white (nothing) to orange (plus): ColorBrewer's RdBu and PuOr, the safe half of each.

    Their outermost tenths are left out: so dark that blue and brown look alike.
    """
    blue = [stop for stop in get_colorscale("RdBu") if 0.45 < stop[0] < 0.95]
    orange = [stop for stop in get_colorscale("PuOr") if 0.05 < stop[0] < 0.45]
    stops = reversed(orange + blue)
    return _ramp([((0.9 - place) / 0.8, colour) for place, colour in stops])


_LEGENDS: dict[Kind, Picture] = {
    "photo": np.empty((0, 3), np.uint8),
    "heat": _ramp(get_colorscale(HEAT)),
    "signed": _diverging(),
    "mask": np.repeat(np.array([[0] * 3, [255] * 3], np.uint8), 128, axis=0),
}


def legend(kind: Kind) -> Picture:
    """The colours of ``kind`` from its low to its high end: (256, 3); a photo has none, (0, 3)."""
    return _LEGENDS[kind].copy()


def limits(step: Step, index: int = 0) -> tuple[float, float]:
    """The values at the two ends of the legend of photo ``index`` of the batch.

    0 and 1 for a photo, a mask and a heat map; 0 and the map's own maximum for a heat map with ``own_scale``;
    minus and plus the largest magnitude for a signed map. A map of zeros gets 1 for its maximum.
    """
    return _limits(step, _values(step, index))


def render(step: Step, index: int = 0) -> Picture:
    """The map of photo ``index`` as a picture, (H, W, 3) uint8, in the size of the map.

    A photo is rounded to 8 bits. In a map of three channels each pixel shows the channel of largest magnitude
    so that no change is hidden. Past an end of the legend comes that end's colour; what is not finite is 0.
    """
    values = _values(step, index)
    if step.kind == "photo":
        return eight_bits(values.clip(0, 1)).transpose(1, 2, 0)
    strongest = np.abs(values).argmax(0, keepdims=True)
    flat = np.take_along_axis(values, strongest, axis=0)[0]
    low, high = _limits(step, values)
    shares = ((flat - low) / (high - low)).clip(0, 1)
    return _LEGENDS[step.kind][eight_bits(shares)]


def eight_bits(shares: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers in [0, 1], of any shape, as the 256 levels of a picture or a legend."""
    return np.rint(shares * shares.dtype.type(255)).astype(np.uint8)


def enlarge(picture: Picture, factor: int) -> Picture:
    """``picture`` with every pixel as a square of ``factor`` by ``factor``: (H · factor, W · factor, 3)."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def to_png(picture: Picture) -> bytes:
    """``picture`` as a PNG file, lossless; the same picture always gives the same bytes."""
    file = io.BytesIO()
    # Level 1 takes a third of the time of the default, for a file that is 5 % larger.
    Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def png_address(png: bytes) -> str:
    """An address that holds the PNG file itself, for HTML and style sheets."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def thumbnail_address(picture: Picture) -> str:
    """An address that holds ``picture`` as a small JPEG: to find a photo by, not to read pixels from."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _values(step: Step, index: int) -> NDArray[np.floating]:
    """(C, H, W) of one photo, finite; float64, but a photo keeps float32, to round as it does in torch."""
    values = step.map[index].detach().cpu()
    if step.kind != "photo" or values.dtype != torch.float32:
        values = values.double()
    numbers = values.numpy()
    finite = np.isfinite(numbers)
    return numbers if finite.all() else np.where(finite, numbers, 0)


def _limits(step: Step, values: NDArray[np.floating]) -> tuple[float, float]:
    if step.kind == "signed":
        highest = float(np.abs(values).max()) or 1.0
        return -highest, highest
    if step.kind == "heat" and step.own_scale:
        return 0.0, max(float(values.max()), 0.0) or 1.0
    return 0.0, 1.0
