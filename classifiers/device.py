"""The device that networks run on, how many cores the CPU gives them, and the memory they keep."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch

from classifiers.base import ClassifierError

Result = TypeVar("Result")

DEVICES = ("cuda", "mps", "cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""``M_TRIM_THRESHOLD`` and ``M_MMAP_THRESHOLD`` of glibc's ``malloc.h``."""
KEPT_BYTES, KEPT_TENSOR = 512 << 20, 32 << 20
"""Freed memory that stays with the process, and the size of a tensor up to which it does; glibc's largest."""


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, the fastest first."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name in DEVICES if available[name])


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The device of that name, such as ``cpu`` or ``cuda:1``; without a name CUDA, then MPS, then the CPU.

    Raises:
        ClassifierError: no such device here; those that there are are named.
    """
    _set_threads()
    _keep_pages()
    available = available_devices()
    if name is None:
        return torch.device(available[0])
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in available or (device.index or 0) >= _count(device.type):
        raise ClassifierError(f"This machine has no device {str(name)!r}; it has {', '.join(available)}")
    return device


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1


@cache
def _set_threads() -> None:
    """Gives torch the cores that this process may use; once, and not where the environment decides."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(usable_cores())


@cache
def _keep_pages() -> None:
    """Keeps the memory of freed tensors for the next ones; once, and where the C library is glibc.

    Each step on a batch of photos takes megabytes and frees them. Given back to the system and taken again,
    each page costs more than the arithmetic on it.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, KEPT_TENSOR)
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def usable_cores() -> int:
    """Cores that this process may use; in a container often fewer than the machine has."""
    pinned = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(pinned, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return pinned


def now(device: torch.device) -> float:
    """Seconds of a clock that is read when all that was asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that a device's memory did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # The CPU's allocator has no type of its own for it.
    return isinstance(error, RuntimeError) and "alloc" in str(error)


def in_halves(count: int, compute: Callable[[slice], Result], most: int) -> tuple[list[Result], int]:
    """``compute`` of ``count`` things, at most ``most`` at once, half as many where the memory is too small.

    Returns:
        What it gave for each part, in their order, and how many things at once went well.

    Raises:
        torch.OutOfMemoryError, MemoryError, RuntimeError: not even one thing fits.
    """
    parts: list[Result] = []
    begin = 0
    while begin < count:
        try:
            parts.append(compute(slice(begin, min(begin + most, count))))
        except (RuntimeError, MemoryError) as error:
            most = min(most, count - begin)
            if most == 1 or not out_of_memory(error):
                raise
            most = math.ceil(most / 2)
        else:
            begin += most
            continue
        # Not inside the handler, where the traceback still holds the tensors.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return parts, most
