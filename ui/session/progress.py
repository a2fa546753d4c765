"""Background work on the page: how far it is, and what is there of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui.session.background import Background
from ui.session.notices import sentence

_POLL = 0.5
"""Seconds between two looks at how far the work is."""


def follow(draw: Callable[..., None], work: Background[Any], *rest: Any) -> None:
    """Calls ``draw`` with ``work`` and ``rest``, again and again until the work is finished."""
    st.fragment(draw, run_every=None if work.finished else _POLL)(work, *rest)


def progress(work: Background[Any], doing: str, failed: str) -> None:
    """How far ``work`` is, inside what ``follow`` calls; when it is finished the page is drawn once more.

    Args:
        work: the work.
        doing: goes on from "3 of 8".
        failed: said of an error that has no sentence for the visitor.
    """
    if not work.finished:
        done = len(work.parts)
        st.progress(done / work.total, f"{done} of {work.total}{doing}")
    elif not work.seen:
        # The last look of the fragment: the page need not poll any more, and what is below can be drawn.
        work.seen = True
        st.rerun()
    if work.error is not None:
        text = sentence(work.error) if isinstance(work.error, ValueError) else failed
        st.error(text, icon=":material/error:")
