"""Work that goes on in a thread of its own while the visitor looks at what is there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from explain import Memo, remembering
from ui.session.device import on_device

_GIVE_WAY = 0.005
"""Seconds between two parts."""
_LOG = logging.getLogger("unfool")

Part = TypeVar("Part")


class Background(Generic[Part]):
    """Work that goes on while the visitor looks at what is there.

    Attributes:
        total: how many parts there will be.
        parts: those that are there.
        finished: whether no more will come.
        error: what ended it early, or None.
        seen: whether the page knows that it is finished; what may only be shown then asks this, because
            ``finished`` may change while the page is drawn.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.parts: list[Part] = []
        self.finished = False
        self.error: Exception | None = None
        self.seen = False
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Has it end after the part that it is at; what is there stays."""
        self._stopped.set()

    def start(self, parts: Callable[[], Iterator[Part]], memo: Memo) -> Background[Part]:
        """Collects what ``parts`` gives in a thread of its own, and is itself."""
        threading.Thread(target=self._collect, args=(parts, memo), daemon=True).start()
        return self

    def _collect(self, parts: Callable[[], Iterator[Part]], memo: Memo) -> None:
        rest = parts()
        try:
            while not self._stopped.is_set():
                with on_device(), remembering(memo):
                    self.parts.append(next(rest))
                # Or this thread would have the device again before those who wait for it.
                time.sleep(_GIVE_WAY)
        except StopIteration:
            pass
        except ValueError as error:
            self.error = error
        except Exception as error:
            _LOG.exception("Background work failed")
            self.error = error
        finally:
            self.finished = True
