"""How often something random is drawn, for the charts and tables that show its spread."""

from __future__ import annotations

import streamlit as st

DRAWS = (5, 10, 20)
"""To choose from."""


def draws_beside(words: str, key: str) -> int:
    """The chosen number of draws; its control stands to the right of ``words``."""
    left, right = st.columns([3, 1], gap="large", vertical_alignment="bottom")
    left.markdown(words)
    count = right.segmented_control(
        "Draws", DRAWS, default=DRAWS[0], required=True, key=key, persist_state="session"
    )
    return int(count or DRAWS[0])
