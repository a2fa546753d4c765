"""A memory for what a classifier said about a photo: moving a slider costs only what depends on it."""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn


class Memo:
    """Maps by key, at most ``max_bytes`` in all; the longest unused go first. Threads may share one."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._maps: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._maps)

    @property
    def bytes(self) -> int:
        """What the maps take up."""
        return self._bytes

    def get(self, key: tuple[Any, ...]) -> Tensor | None:
        """A copy of the map under ``key``, or None."""
        with self._lock:
            if key not in self._maps:
                return None
            self._maps.move_to_end(key)
            return self._maps[key].clone()

    def put(self, key: tuple[Any, ...], value: Tensor) -> None:
        """Keeps a copy of ``value``; one larger than the whole memo is not kept."""
        if value.nbytes > self.max_bytes:
            return
        with self._lock:
            self._drop(key)
            self._maps[key] = value.detach().clone()
            self._bytes += value.nbytes
            while self._bytes > self.max_bytes:
                self._drop(next(iter(self._maps)))

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._maps.clear()
            self._bytes = 0

    def mark(self, x: Tensor) -> tuple[Any, ...]:
        """What stands for ``x`` in a key: every byte of it, its shape, type and device."""
        return _digest(x), tuple(x.shape), x.dtype, str(x.device)

    def _drop(self, key: tuple[Any, ...]) -> None:
        dropped = self._maps.pop(key, None)
        if dropped is not None:
            self._bytes -= dropped.nbytes


class PassingMemo(Memo):
    """A memory for a moment's work, to which only the very same tensor is the same photo.

    It reads no bytes, which on a GPU takes longer than many a pass, and keeps what it was asked about.
    """

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._asked: dict[int, Tensor] = {}

    def mark(self, x: Tensor) -> tuple[Any, ...]:
        """The tensor's identity, its own as long as it is kept, and how often it was changed in place."""
        self._asked[id(x)] = x
        return id(x), x._version


_memo: ContextVar[Memo | None] = ContextVar("memo", default=None)


@contextmanager
def remembering(memo: Memo) -> Iterator[None]:
    """Within it, in this thread, functions that are ``remembered`` look into ``memo`` first."""
    token = _memo.set(memo)
    try:
        yield
    finally:
        _memo.reset(token)


@contextmanager
def forgetting() -> Iterator[None]:
    """Within it, in this thread, nothing is looked up or kept: for photos that never come back."""
    token = _memo.set(None)
    try:
        yield
    finally:
        _memo.reset(token)


_Function = TypeVar("_Function", bound=Callable[..., Tensor])


def remembered(function: _Function) -> _Function:
    """A function ``(x, model, **options) -> Tensor`` that asks the memo before it works.

    The key is the function, the model's ``identity``, the options and the memo's ``mark`` of ``x``. It works
    as if there were no memo where none is handed in, where the model has no ``identity``, and where a
    gradient with respect to ``x`` is wanted.
    """
    name = f"{function.__module__}.{function.__qualname__}"

    @functools.wraps(function)
    def ask(x: Tensor, model: nn.Module, **options: Any) -> Tensor:
        memo, identity = _memo.get(), getattr(model, "identity", None)
        if memo is None or identity is None or (x.requires_grad and torch.is_grad_enabled()):
            return function(x, model, **options)
        key = (name, identity, *sorted(options.items()), *memo.mark(x))
        value = memo.get(key)
        if value is None:
            value = function(x, model, **options).detach()
            memo.put(key, value)
        return value

    return cast(_Function, ask)


def _digest(x: Tensor) -> str:
    return hashlib.sha256(x.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
