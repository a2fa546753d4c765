"""A running app and a real browser, for every test that looks at pages as a visitor does."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=30_000)  # a busy machine is no failure


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, headless."""
    chromium = shutil.which("chromium")
    if chromium is None and "CI" not in os.environ:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chosen = playwright.chromium.launch(executable_path=chromium or "chromium", args=ARGUMENTS)
        yield chosen
        chosen.close()


@pytest.fixture(scope="session")
def streamlit_app() -> Iterator[Callable[[Path], str]]:
    """Address of a Streamlit script of this repository; each script is started once."""
    servers: dict[Path, tuple[subprocess.Popen, str]] = {}

    def address(script: Path) -> str:
        if script not in servers:
            servers[script] = start(script)
        return servers[script][1]

    yield address
    for server, _ in servers.values():
        server.terminate()
    for server, _ in servers.values():
        server.wait()


def start(script: Path) -> tuple[subprocess.Popen, str]:
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
        # One core computes, so that on a machine of two the browser has the other.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
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
        pytest.fail(f"{script.name} did not start:\n{''.join(said)}")
    # A full pipe would stop the server.
    threading.Thread(target=deque, args=(server.stdout, 0), daemon=True).start()
    return server, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def profile(browser: Browser) -> Callable[..., BrowserContext]:
    """A browser profile for each set of options, shared by the tests: Streamlit's files load once."""
    profiles: dict[str, BrowserContext] = {}

    def shared(**options: Any) -> BrowserContext:
        name = repr(sorted(options.items()))
        if name not in profiles:
            profiles[name] = browser.new_context(**options)
        return profiles[name]

    return shared


@pytest.fixture
def open_page(profile: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Opens an address in a new tab, which is a visitor of its own; an error on a page fails the test."""
    pages: list[Page] = []
    errors: list[str] = []

    def opened(address: str, *, width: int = 1440, height: int = 900, **options: Any) -> Page:
        page = profile(**options).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()
    assert not errors
