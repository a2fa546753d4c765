"""Memory and time of filtering each pixel by its own kernel: ``python -m experiments.filter_memory``.

The K² shifts one after the other, as ``ops.pixel_filter`` takes them, against all neighbourhoods side by
side (B x 3 x K² x H x W): the most that each takes over what holds photos, kernels and their gradient,
forwards and back, each in a process of its own, on the CPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ops.pixel_filter import pixel_filtered


def side_by_side(x: Tensor, kernels: Tensor) -> Tensor:
    """As ``pixel_filtered``, with every neighbourhood in memory."""
    side = round((kernels.shape[1] / x.shape[1]) ** 0.5)
    padded = F.pad(x, (side // 2,) * 4, mode="replicate")
    neighbours = F.unfold(padded, side).unflatten(1, (x.shape[1], side**2))
    return (neighbours.unflatten(-1, x.shape[-2:]) * kernels.unflatten(1, (x.shape[1], side**2))).sum(2)


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "shift by shift": pixel_filtered,
    "side by side": side_by_side,
}


def peak() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(way: str, batch: int, side: int, kernel: int) -> dict[str, float]:
    """MB over what photos, kernels and their gradient take, and seconds, of one pass forwards and back."""
    x = torch.rand(batch, 3, side, side)
    kernels = torch.rand(batch, 3 * kernel**2, side, side).requires_grad_()
    held = peak() + kernels.numel() * kernels.element_size() / 2**20
    began = time.perf_counter()
    torch.autograd.grad(WAYS[way](x, kernels).sum(), kernels)
    return {"MB": round(peak() - held, 1), "seconds": round(time.perf_counter() - began, 2)}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--kernel", type=int, default=5)
    parser.add_argument("--way", choices=tuple(WAYS), help="this one alone, in this process")
    given = parser.parse_args(arguments)
    if given.way:
        print(json.dumps(measured(given.way, given.batch, given.side, given.kernel)))
        return
    for way in WAYS:
        size = [f"--{name}={getattr(given, name)}" for name in ("batch", "side", "kernel")]
        command = [sys.executable, "-m", "experiments.filter_memory", "--way", way, *size]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"{way}: {report.strip()}")


if __name__ == "__main__":
    main()
