"""One message to the browser: a header and raw bytes, a third smaller than base64 inside JSON."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any


def pack(header: Mapping[str, Any], parts: Sequence[bytes]) -> bytes:
    """Length of the header (4 bytes, little endian), header as JSON, parts; ``parcel.js`` opens it.

    The header gains ``lengths`` of the parts and a ``digest`` of everything, by which the browser knows that
    nothing has changed.
    """
    digest = hashlib.sha256(json.dumps(header).encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    text = json.dumps(
        {**header, "lengths": [len(part) for part in parts], "digest": digest.hexdigest()}
    ).encode()
    return b"".join([struct.pack("<I", len(text)), text, *parts])
