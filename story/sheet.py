"""A picture on paper: at a size in centimetres, as PNG or as a PDF page."""

from __future__ import annotations

import io

from PIL import Image

from story.render import Picture

DPI = 300
"""Dots of the printer in an inch."""
_INCH = 2.54
_A4 = (21.0, 29.7)
SMALLEST, LARGEST = 1.0, 19.0
"""Range of the side in cm; the largest leaves a centimetre of A4 on either side, and fits US letter."""


def print_png(picture: Picture, centimetres: float) -> bytes:
    """A square ``picture`` (S, S, 3) as a PNG file of ``DPI`` that is ``centimetres`` wide on paper.

    Its pixels stay squares with sharp edges.

    Raises:
        ValueError: a size that does not fit on the page.
    """
    file = io.BytesIO()
    _enlarged(picture, centimetres).save(file, "PNG", dpi=(DPI, DPI))
    return file.getvalue()


def print_pdf(picture: Picture, centimetres: float) -> bytes:
    """The same in the middle of an A4 page, as a PDF file; to be printed at 100 %, not fitted to the page.

    Raises:
        ValueError: a size that does not fit on the page.
    """
    print_ready = _enlarged(picture, centimetres)
    width, height = (_dots(side) for side in _A4)
    page = Image.new("RGB", (width, height), "white")
    page.paste(print_ready, ((width - print_ready.width) // 2, (height - print_ready.height) // 2))
    file = io.BytesIO()
    # A PDF of Pillow's holds a JPEG: at this quality its colours are within a few levels of the patch's.
    page.save(file, "PDF", resolution=DPI, quality=100, subsampling=0)
    return file.getvalue()


def _enlarged(picture: Picture, centimetres: float) -> Image.Image:
    if not SMALLEST <= centimetres <= LARGEST:
        raise ValueError(f"a side on paper is {SMALLEST:g} to {LARGEST:g} cm, not {centimetres:g}")
    side = _dots(centimetres)
    return Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST)


def _dots(centimetres: float) -> int:
    return round(centimetres / _INCH * DPI)
