"""The browser door: the server of the pages. Start it with ``python -m streamlit run app.py``."""

import os
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

# PyTorch's threads wait for each other by turning round and round. The default, milliseconds of it, takes the
# core that the browser or another visitor's script would need; read when the first visit loads PyTorch.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

_LISTENS = 1.0
"""Seconds after which the server listens for sure."""


@asynccontextmanager
async def opened(_app: st.App) -> AsyncIterator[None]:
    """Opens a tab of the browser, as Streamlit does for a script that is no server of its own."""
    if not st.get_option("server.headless"):
        address = f"http://localhost:{st.get_option('server.port')}"
        # Not in the server's own thread, which would wait for a browser that waits for it.
        threading.Timer(_LISTENS, webbrowser.open, (address,)).start()
    yield


app = st.App("ui/entry.py", lifespan=opened)
