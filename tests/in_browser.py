"""A running app and a real browser, for every test that looks at pages as a visitor does."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench.serving import CHROMIUM_OPTIONS, chromium, serve

PATIENCE = 120_000
"""Milliseconds until a state counts as never reached: a busy machine is no failure."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, headless."""
    found = chromium()
    if found is None and "CI" not in os.environ:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chosen = playwright.chromium.launch(executable_path=found or "chromium", args=CHROMIUM_OPTIONS)
        yield chosen
        chosen.close()


@pytest.fixture(scope="session")
def streamlit_app() -> Iterator[Callable[[Path], str]]:
    """Address of a Streamlit script of this repository; each script is started once."""
    servers: dict[Path, tuple[subprocess.Popen, str]] = {}

    def address(script: Path) -> str:
        if script not in servers:
            # One core computes, so that on a machine of two the browser has the other.
            servers[script] = serve(script, {"OMP_NUM_THREADS": "1"})
        return servers[script][1]

    yield address
    for server, _ in servers.values():
        server.terminate()
    for server, _ in servers.values():
        server.wait()


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
        page.set_default_timeout(PATIENCE)
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()
    assert not errors, errors
