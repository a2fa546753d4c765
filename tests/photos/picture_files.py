"""Small files of every format, made in memory."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")


def gradient(height=24, width=40):
    """(H, W, 3) uint8 whose four corners differ."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = 255 * columns / (width - 1), 255 * rows / (height - 1)
    return np.stack([red, green, np.full_like(red, 60)], axis=2).astype(np.uint8)


def saved(picture, kind, **options):
    """Bytes of ``picture``, an array or a Pillow image, saved as ``kind``."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, bits, colour, rows, extra=b""):
    """A PNG by hand: ``rows`` are the unfiltered bytes of all rows, ``extra`` chunks before them."""
    lines = len(rows) // height if height and rows else 0
    raw = b"".join(b"\0" + rows[row * lines : (row + 1) * lines] for row in range(height)) if rows else b""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff(tags, data):
    """A little-endian TIFF of one page: tag number -> (3 short or 4 long, values); ``data`` is at 8."""
    entries, extra = b"", b""
    after = 8 + len(data) + 2 + 12 * len(tags) + 4
    for number, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", after + len(extra)), extra + packed
        entries += struct.pack("<HHI", number, kind, len(values)) + packed.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + extra
