"""Two pictures over each other, with an edge between them that follows the hand."""

from __future__ import annotations

from ui.browser.assembly import assemble
from ui.browser.parcel import pack

_mount = assemble("wipe")


def wipe(before: bytes, after: bytes, names: tuple[str, str], *, key: str, label: str) -> None:
    """Shows ``before`` to the left of the edge and ``after`` to its right; the server never hears of it.

    Args:
        before: a PNG file.
        after: another of the same size.
        names: what stands under the left and the right end.
        key: of the component.
        label: what is wiped between; the name of the slider.
    """
    _mount(key=key, data=pack({"names": list(names), "label": label}, [before, after]))
