"""A Streamlit script of this repository as a server of its own, and a chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
APP = ROOT / "app.py"
CHROMIUM_OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The browser that the environment names in CHROMIUM, else the one on the PATH; None without one."""
    return shutil.which(os.environ.get("CHROMIUM") or "chromium")


def serve(script: Path, environment: Mapping[str, str]) -> tuple[subprocess.Popen[str], str]:
    """The server of ``script`` and its address, as soon as it listens; ``environment`` is added to ours.

    Raises:
        RuntimeError: it ended before; the message is what it said.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), *(f"--{k}={v}" for k, v in options.items())],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    said = []
    for line in server.stdout:  # Streamlit says its address as soon as it listens
        said.append(line)
        if "URL:" in line:
            break
    else:
        raise RuntimeError(f"{script.name} did not start:\n{''.join(said)}")
    # A full pipe would stop the server.
    threading.Thread(target=deque, args=(server.stdout, 0), daemon=True).start()
    return server, f"http://127.0.0.1:{port}"
