"""A photo on which the visitor puts a patch anywhere, and turns and resizes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from ui.browser.assembly import assemble
from ui.browser.parcel import pack

_mount = assemble("place_picker")


@dataclass(frozen=True)
class Placement:
    """Where a patch lies.

    Attributes:
        left, top: its upper left corner before it is turned, shares of the photo's width and height.
        width: share of the photo's width.
        degrees: how far it is turned around its middle, counter-clockwise.
    """

    left: float
    top: float
    width: float
    degrees: float


def place_picker(
    png: bytes,
    *,
    patch: tuple[float, float, float, float],
    key: str,
    label: str = "Place of the patch",
    on_place: Callable[[Placement], None] | None = None,
    picture: bytes | None = None,
    degrees: float = 0.0,
    widths: tuple[float, float] | None = None,
) -> Placement | None:
    """The new placement in the one run that the visitor's move has caused; None in all others.

    The outline follows ``patch``. Click, drag, touch and arrow keys move it in whole pixels of the photo;
    with ``widths`` two knobs and four keys resize and turn it too. It reports once, on release. Not for
    forms, where Streamlit drops such events.

    Args:
        png: the photo.
        patch: (x, y, width, height) of the patch as shares of the photo's width and height.
        key: of the component.
        label: what is placed, for those who cannot see it.
        on_place: called before that run, when the state of other widgets may still be set.
        picture: the patch itself, a PNG file; without it there is only its outline.
        degrees: how far it is turned, counter-clockwise.
        widths: the smallest and the largest width, shares of the photo's width; None where the patch keeps
            its size and angle.
    """

    def placed() -> None:
        if on_place is not None:
            on_place(Placement(*st.session_state[key]["placed"]))

    header = {"patch": patch, "degrees": degrees, "sides": widths, "label": label}
    parts = [png] if picture is None else [png, picture]
    result = _mount(key=key, data=pack(header, parts), on_placed_change=placed)
    return None if result["placed"] is None else Placement(*result["placed"])
