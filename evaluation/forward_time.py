"""One forward pass of a classifier against MobileNet v3 large: ``python -m evaluation.forward_time``.

Both with the photo of the classifier's working size, batch 1, in turn in one run; medians and their ratio.
"""

from __future__ import annotations

import argparse

import torch
from torchvision.models import mobilenet_v3_large

from classifiers import load
from evaluation.timing import medians


@torch.inference_mode()
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
    peer = mobilenet_v3_large().eval()
    ours, theirs = medians([lambda: classifier(x), lambda: peer(x)], given.repeats)
    print(
        f"{classifier.name} {ours:.1f} ms, mobilenet_v3_large {theirs:.1f} ms, ratio {ours / theirs:.2f} "
        f"at {classifier.working_size} px, batch 1, {torch.get_num_threads()} threads"
    )


if __name__ == "__main__":
    main()
