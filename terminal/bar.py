"""A progress bar on stderr."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn

from tqdm import tqdm


class Bar:
    """tqdm for work that tells its total only while it runs; nothing if ``quiet`` or never told anything."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title = title
        self._quiet = quiet
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.refresh()
            self._bar.close()

    def show(self, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` (0: unknown), with a few words."""
        if self._quiet:
            return
        if self._bar is None:
            self._bar = tqdm(desc=self._title, dynamic_ncols=True, file=sys.stderr)
        self._bar.total = total or None
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)
