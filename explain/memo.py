"""A memory for what a classifier said about a photo: moving a slider costs only what depends on it."""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary


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
        """What stands for ``x`` in a key: every byte of it, its shape, type and device.

        The bytes of the same tensor are read once, and again after a change in place.
        """
        return _mark(x)

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
_Any = TypeVar("_Any", bound=Callable[..., Any])


def remembered(function: _Function) -> _Function:
    """A function of ``x``, perhaps a model, and options by name, -> Tensor, that asks the memo first.

    The key is the function, the model's ``identity``, the options and the memo's ``mark`` of ``x``. It works
    as if there were no memo where none is handed in, where the model has no ``identity``, and where a
    gradient with respect to ``x`` is wanted.
    """

    @functools.wraps(function)
    def ask(x: Tensor, *model: nn.Module, **options: Any) -> Tensor:
        place = _place(function, x, *model, **options)
        if place is None:
            return function(x, *model, **options)
        memo, key = place
        value = memo.get(key)
        if value is None:
            value = function(x, *model, **options).detach()
            memo.put(key, value)
        return value

    return cast(_Function, ask)


def kept_with_it(function: _Any) -> _Any:
    """A function of ``x`` and options by name whose last result lives as long as ``x``, and is given again.

    For results of any type, which must not hold ``x`` themselves. The key is the very tensor as long as it is
    not changed in place, and the options. Where a gradient with respect to ``x`` is wanted nothing is kept.
    """
    kept: MutableMapping[Tensor, tuple[tuple[Any, ...], Any]] = WeakTensorKeyDictionary()

    @functools.wraps(function)
    def ask(x: Tensor, **options: Any) -> Any:
        if x.is_inference() or (x.requires_grad and torch.is_grad_enabled()):
            return function(x, **options)
        key = (x._version, *sorted(options.items()))
        entry = kept.get(x)
        if entry is None or entry[0] != key:
            entry = kept[x] = key, function(x, **options)
        return entry[1]

    return cast(_Any, ask)


def remember(function: Callable[..., Tensor], value: Tensor, x: Tensor, *model: nn.Module) -> None:
    """Hands the memo what a ``remembered`` function gives for ``x``, where that is known already."""
    place = _place(function, x, *model)
    if place is not None:
        memo, key = place
        memo.put(key, value)


def _place(
    function: Callable[..., Tensor], x: Tensor, *model: nn.Module, **options: Any
) -> tuple[Memo, tuple[Any, ...]] | None:
    """The memo and the key in it; None where nothing may be remembered."""
    memo, identities = _memo.get(), [getattr(one, "identity", None) for one in model]
    if memo is None or None in identities or (x.requires_grad and torch.is_grad_enabled()):
        return None
    name = f"{function.__module__}.{function.__qualname__}"
    return memo, (name, *identities, *sorted(options.items()), *memo.mark(x))


@kept_with_it
def _mark(x: Tensor) -> tuple[Any, ...]:
    numbers = x.detach().cpu().contiguous().view(torch.uint8).numpy()
    return hashlib.sha256(numbers.data).digest(), tuple(x.shape), x.dtype, str(x.device)
