"""A decoded picture of any colour mode as plain 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

PHOTOMETRIC, BITS_PER_SAMPLE = 262, 258
"""TIFF tags: what the grey value 0 means, and how many bits a value has."""

DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "I", "F", *DEEP_GREY, *WITH_ALPHA)
"""Pillow's colour modes that ``to_rgb`` takes."""


def to_rgb(picture: Image.Image) -> np.ndarray:
    """``picture`` in one of ``MODES`` as (H, W, 3) uint8; what is transparent is laid over white.

    16-bit grey is scaled to 8 bits, not cut off. Colour profiles are not applied: classifiers are trained
    without. CMYK JPEGs hold inverted values, as Adobe writes them; Pillow turns them while decoding.
    """
    if picture.mode in DEEP_GREY:
        return _stacked(_from_deep_grey(picture))
    if picture.mode in ("I", "F"):
        grey = _from_numbers(np.asarray(picture), fractions=picture.mode == "F")
        return _stacked(255 - grey if _white_is_zero(picture) else grey)
    if picture.mode in WITH_ALPHA or "transparency" in picture.info:
        return _over_white(picture)
    return np.array(picture.convert("RGB"))


def _over_white(picture: Image.Image) -> np.ndarray:
    key = picture.info.get("transparency")
    if isinstance(key, tuple) and max(key) > 255:
        # The transparent colour of a 16-bit PNG, whose pixels Pillow decodes to their high bytes.
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    with_alpha = picture.convert("LA" if picture.mode == "La" else "RGBA").convert("RGBA")
    page = Image.new("RGB", picture.size, "white")
    page.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return np.array(page)


def _from_deep_grey(picture: Image.Image) -> np.ndarray:
    """(H, W) uint8 of unsigned 16-bit (or, in a TIFF, 12-bit) grey."""
    tags = getattr(picture, "tag_v2", {})
    bits = int(tags.get(BITS_PER_SAMPLE, (16,))[0])
    levels = np.linspace(0, 255 * 65535 / (2**bits - 1), 65536)
    table = levels.clip(0, 255).round().astype(np.uint8)
    if _white_is_zero(picture):
        table = 255 - table
    key = picture.info.get("transparency")
    if isinstance(key, int) and 0 <= key <= 65535:
        table[key] = 255
    return table[np.asarray(picture)]


def _from_numbers(values: np.ndarray, *, fractions: bool) -> np.ndarray:
    """(H, W) uint8 of numbers whose range no header tells.

    The range is the first that holds them all: 0-1 (only fractions), 0-255, 0-65535, or else from their
    smallest to their largest. What is not finite counts as 0.
    """
    values = np.where(np.isfinite(values), values, 0).astype(np.float64)
    low, high = values.min(), values.max()
    tops = [top for top in ((1,) if fractions else ()) + (255, 65535) if low >= 0 and high <= top]
    if tops:
        low, high = 0.0, float(tops[0])
    return ((values - low) / (high - low) * 255).round().astype(np.uint8)


def _white_is_zero(picture: Image.Image) -> bool:
    # Pillow honours the tag for up to 8 bits only.
    return getattr(picture, "tag_v2", {}).get(PHOTOMETRIC) == 0


def _stacked(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[:, :, None], 3, axis=2)
