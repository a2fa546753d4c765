"""The device that networks run on, and how many cores the CPU gives them."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

import torch

from classifiers.base import ClassifierError

DEVICES = ("cuda", "mps", "cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available_devices() -> tuple[str, ...]:
    """The devices of this machine, the fastest first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return tuple(name for name in DEVICES if found[name])


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The device of that name, such as ``cpu`` or ``cuda:1``; without a name CUDA, then MPS, then the CPU.

    Raises:
        ClassifierError: no such device here; those that there are are named.
    """
    _set_threads()
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


def usable_cores() -> int:
    """Cores that this process may use; in a container often fewer than the machine has."""
    pinned = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(pinned, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return pinned
