"""One forward pass of a classifier against MobileNet v3 large: ``python -m evaluation.forward_time``.

Both with the photo of the classifier's working size, batch 1, in turn in one run; medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn
from torchvision.models import mobilenet_v3_large

from classifiers import load


@torch.inference_mode()
def milliseconds(networks: list[nn.Module], x: torch.Tensor, repeats: int) -> list[float]:
    """Median of ``repeats`` passes of each network on ``x``, taken in turn."""
    times: list[list[float]] = [[] for _ in networks]
    for number in range(repeats + 5):
        for network, kept in zip(networks, times, strict=True):
            begin = time.perf_counter()
            network(x)
            if number >= 5:
                kept.append(1000 * (time.perf_counter() - begin))
    return [statistics.median(kept) for kept in times]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classifier", default="builtin")
    parser.add_argument("--repeats", type=int, default=60)
    given = parser.parse_args()
    classifier = load(given.classifier, device="cpu")
    x = torch.rand(1, 3, classifier.working_size, classifier.working_size)
    ours, theirs = milliseconds([classifier, mobilenet_v3_large().eval()], x, given.repeats)
    print(
        f"{classifier.name} {ours:.1f} ms, mobilenet_v3_large {theirs:.1f} ms, ratio {ours / theirs:.2f} "
        f"at {classifier.working_size} px, batch 1, {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()
