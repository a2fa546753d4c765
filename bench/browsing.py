"""The app in a real browser, as a visitor meets it: first paint, another page, a slider's repaint."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench.installed import MISSING, is_installed
from bench.interleaved import Quartiles, Row
from bench.serving import APP, CHROMIUM_OPTIONS, chromium, serve
from bench.setting import Found, LeftOut, Setting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PART = "app"
STARTS, LEAST = 3, 3
"""How often the server is started, and how often each thing is done on its last start at least."""
WARM_UP = 2
"""Moves that don't count: on their first visit two pages load what they need."""
_TIMEOUT = 240_000
"""Milliseconds that the first visit may take on a busy machine."""
SLIDERS = {
    "λ of slgs": ("gradient_smoothing?defense=slgs", "defense-lam-"),
    "deflections of pixel-deflection": ("pixel_deflection", "defense-deflections-"),
}
"""What is moved -> its page, and what the key of its widget begins with."""
_REPAINT = """story => {
    window.unfoolRepaint = new Promise(resolve => {
        let began = 0;
        const begin = () => { began = window.unfoolBegan = performance.now(); };
        window.addEventListener("keydown", begin, { once: true, capture: true });
        new MutationObserver((_changes, observer) => {
            observer.disconnect();
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - began)));
        }).observe(story, { subtree: true, attributes: true, attributeFilter: ["src"] });
    });
}"""
"""Begins with the next key, and ends when the first new picture of the steps is on the screen."""


def browsing(setting: Setting) -> Iterator[Found]:
    """Rows of the app, on its own default classifier; a sentence where there is no browser to look with."""
    browser = chromium()
    if not is_installed("playwright"):
        yield LeftOut(PART, "everything", f"playwright is {MISSING}")
    elif browser is None:
        yield LeftOut(PART, "everything", "there is no chromium on the PATH, nor does CHROMIUM name one")
    else:
        yield from _in(browser, setting.seconds)


def _in(executable: str, seconds: float) -> Iterator[Row]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        begun: list[float] = []
        for number in range(STARTS):
            began = time.perf_counter()
            server, address = serve(APP, {})
            try:
                page = _opened(browser, address)
                begun.append(1000 * (time.perf_counter() - began))
                if number == STARTS - 1:
                    yield _row("start to first paint", begun)
                    yield _row("another page", _switches(page, seconds))
                    page.close()
                    for name, (path, key) in SLIDERS.items():
                        yield from _slid(browser, f"{address}/{path}", name, key, seconds)
                else:
                    page.close()
            finally:
                server.terminate()
                server.wait()
        browser.close()


def _row(case: str, milliseconds: Sequence[float], stage: str = "all", sent: int | None = None) -> Row:
    return Row(PART, case, 1, stage, "Unfool", Quartiles.of(milliseconds), None, "", len(milliseconds), sent)


def _opened(browser: Browser, address: str, on_socket: Callable[[Any], None] | None = None) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    if on_socket is not None:
        page.on("websocket", on_socket)
    page.goto(address)
    _settled(page)
    return page


def _settled(page: Page) -> None:
    """The page has drawn its verdict, and nothing runs any more."""
    page.locator(".unfool-verdict").wait_for(timeout=_TIMEOUT)
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached", timeout=_TIMEOUT)


def _numbers(seconds: float) -> Iterator[int]:
    """From 0 on: two to warm up, then until ``seconds`` are over and there were ``LEAST``."""
    began = time.perf_counter()
    for number in itertools.count():
        if number == WARM_UP:
            began = time.perf_counter()
        if number >= WARM_UP + LEAST and time.perf_counter() - began > seconds:
            break
        yield number


def _switches(page: Page, seconds: float) -> list[float]:
    """Milliseconds from the press of a link to the other page's verdict; first visits are left out."""
    milliseconds = []
    for number in _numbers(seconds):
        name = ("Gradient smoothing", "Attack")[number % 2]
        began = time.perf_counter()
        page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
        page.get_by_role("heading", name=name, level=1).wait_for()
        _settled(page)
        milliseconds.append(1000 * (time.perf_counter() - began))
    return milliseconds[WARM_UP:]


def _slid(browser: Browser, address: str, case: str, key: str, seconds: float) -> Iterator[Row]:
    """From a press on the slider to the first new picture, and until all is there, with the bytes sent."""
    received: list[int] = []
    page = _opened(
        browser,
        address,
        lambda socket: socket.on("framereceived", lambda payload: received.append(len(payload))),
    )
    slider = page.locator(f"[class*=st-key-{key}]").get_by_role("slider")
    story = page.locator(".story").first.element_handle()
    assert story is not None
    repainted, ended, sent = [], [], []
    for _ in _numbers(seconds):
        received.clear()
        story.evaluate(_REPAINT)
        slider.focus()
        page.keyboard.press("ArrowRight")
        repainted.append(float(page.evaluate("window.unfoolRepaint")))
        _settled(page)
        ended.append(float(page.evaluate("performance.now() - window.unfoolBegan")))
        sent.append(sum(received))
    page.close()
    yield _row(f"repaint after {case}", repainted[WARM_UP:], "first picture")
    yield _row(f"repaint after {case}", ended[WARM_UP:], sent=round(Quartiles.of(sent[WARM_UP:]).median))
