"""One message to the browser: a header and raw bytes, a third smaller than base64 inside JSON."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def pack(header: Mapping[str, Any], parts: Sequence[bytes], *, by_header: bool = False) -> bytes:
    """Length of the header (4 bytes, little endian), header as JSON, parts; ``parcel.js`` opens it.

    The header gains ``lengths`` of the parts and a ``digest`` of everything, by which the browser knows that
    nothing has changed. ``by_header``: the header differs wherever a part does, so no part need be read.
    """
    body = json.dumps({**header, "lengths": [len(part) for part in parts]})
    text = f'{body[:-1]}, "digest": "{digest_of(body, () if by_header else parts)}"}}'.encode()
    return b"".join([struct.pack("<I", len(text)), text, *parts])


def digest_of(header: str, parts: Iterable[bytes]) -> str:
    """Another one wherever header or parts differ."""
    digest = hashlib.sha256(header.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
