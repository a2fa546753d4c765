"""What surrounds every page: style, sidebar, notices, the link, and calm when something goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from ui.frame import sidebar
from ui.session import selection
from ui.session.notices import calmly, show_notices
from ui.session.scene import Scene
from ui.session.workbench import workbench

_STYLE = Path(__file__).parents[2] / "assets" / "style.css"


def draw(page: Page, pages: Sequence[Page]) -> None:
    """Draws the frame and, inside it, the page."""
    st.html(_STYLE)
    notices, links = st.container(), st.sidebar.container(gap="xsmall")
    with calmly():
        if selection.begin():
            selection.want_attack()
        workbench().scene = sidebar.draw()
        # Before the page, which may run an attack for a while.
        selection.write_link(scene())
        query = selection.query(scene())
        for other in pages:
            links.page_link(other, width="stretch", query_params=query)
        with calmly():
            page.run()
    with notices:
        show_notices()


def scene() -> Scene:
    """What the visitor has chosen in the sidebar."""
    present = workbench().scene
    assert present is not None
    return present
