"""A photo on which the visitor puts a patch where he wants it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from ui.browser.assembly import assemble
from ui.browser.parcel import pack

_mount = assemble("place_picker")


def place_picker(
    png: bytes,
    *,
    patch: tuple[float, float, float, float],
    key: str,
    label: str = "Place of the patch",
    on_place: Callable[[float, float], None] | None = None,
) -> tuple[float, float] | None:
    """The new top left corner (x, y) in the one run that the visitor's move has caused; None in all others.

    The outline follows ``patch``. Click, drag, touch and arrow keys move it in whole pixels of the photo; it
    reports once, on release. Not for forms, where Streamlit drops such events.

    Args:
        png: the photo.
        patch: (x, y, width, height) of the patch as shares of the photo's width and height.
        key: of the component.
        label: what is placed, for those who cannot see it.
        on_place: called with (x, y) before that run, when the state of other widgets may still be set.
    """

    def placed() -> None:
        if on_place is not None:
            on_place(*st.session_state[key]["placed"])

    result = _mount(key=key, data=pack({"patch": patch, "label": label}, [png]), on_placed_change=placed)
    place = result["placed"]
    return None if place is None else (place[0], place[1])
