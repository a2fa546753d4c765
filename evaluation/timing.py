"""How long something takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch


def now(device: torch.device) -> float:
    """Seconds of a clock that is read when all that was asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


def medians(functions: Sequence[Callable[[], object]], repeats: int, warm_up: int = 5) -> list[float]:
    """Milliseconds of each function on the CPU, taken in turn after ``warm_up`` rounds that don't count."""
    times: list[list[float]] = [[] for _ in functions]
    for number in range(repeats + warm_up):
        for function, kept in zip(functions, times, strict=True):
            begin = time.perf_counter()
            function()
            if number >= warm_up:
                kept.append(1000 * (time.perf_counter() - begin))
    return [statistics.median(kept) for kept in times]
