"""The limit of everything that asks a classifier: the same passes with nothing around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from classifiers.base import Classifier

Pass = tuple[int, int, int]
"""Photos, their side in px, and how often the gradient was asked for."""


@contextmanager
def noted(classifier: Classifier) -> Iterator[list[list[int]]]:
    """Within it, every pass through the classifier's network is noted, as a list of what ``Pass`` holds."""
    made: list[list[int]] = []

    def note(_network: object, inputs: tuple[Tensor], output: Tensor) -> None:
        one = [len(inputs[0]), inputs[0].shape[-1], 0]
        made.append(one)
        if output.requires_grad:

            def back(_gradient: Tensor) -> None:
                one[2] += 1

            output.register_hook(back)

    hook = classifier.network.register_forward_hook(note)
    try:
        yield made
    finally:
        hook.remove()


def passes_of(classifier: Classifier, work: Callable[[], object]) -> list[Pass]:
    """The passes that ``work`` makes."""
    with noted(classifier) as made:
        work()
    return [(photos, side, back) for photos, side, back in made]


def bare(classifier: Classifier, passes: Sequence[Pass]) -> Callable[[], None]:
    """Makes ``passes`` again, on photos of noise that lie ready on the device."""
    generator = torch.Generator().manual_seed(0)
    ready = {
        (count, side): torch.rand(count, 3, side, side, generator=generator).to(classifier.device)
        for count, side, _ in passes
    }

    def again() -> None:
        for count, side, back in passes:
            x = ready[count, side].detach().requires_grad_(back > 0)
            with torch.set_grad_enabled(back > 0):
                total = classifier(x).sum()
            for left in reversed(range(back)):
                torch.autograd.grad(total, x, retain_graph=left > 0)

    return again
