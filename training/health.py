"""Whether a learned part is alive: what its ReLUs and sigmoids put out, and whether its inputs matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_OPERATIONS = torch.ops.aten
RELUS = (
    _OPERATIONS.relu.default,
    _OPERATIONS.relu_.default,
    _OPERATIONS.hardtanh.default,
    _OPERATIONS.hardtanh_.default,
    _OPERATIONS.leaky_relu.default,
    _OPERATIONS.leaky_relu_.default,
)
SIGMOIDS = (_OPERATIONS.sigmoid.default, _OPERATIONS.sigmoid_.default)
SATURATED = 1e-3
"""Distance from 0 or 1 within which a sigmoid hardly passes a gradient on."""


class UnhealthyError(RuntimeError):
    """A training or a learned part that has died; the message is one sentence."""


@dataclass
class Activity(TorchDispatchMode):
    """A context that notes what every ReLU and every sigmoid puts out while it is entered.

    Attributes:
        alive: for each ReLU, in the order of their calls, the share of its channels that are over 0 anywhere.
        largest: the largest of all numbers that ReLUs put out.
        between: for each sigmoid, the share of its numbers that are ``SATURATED`` from 0 and 1 at least.
        means: for each sigmoid, its mean.
    """

    alive: list[float] = field(default_factory=list)
    largest: float = 0.0
    between: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in RELUS:
            by_channel = result.detach().transpose(0, 1).flatten(1).amax(1)
            self.alive.append((by_channel > 0).float().mean().item())
            self.largest = max(self.largest, by_channel.max().item())
        elif func in SIGMOIDS:
            values = result.detach().float()
            inside = (values > SATURATED) & (values < 1 - SATURATED)
            self.between.append(inside.float().mean().item())
            self.means.append(values.mean().item())
        return result

    def check(self, name: str) -> None:
        """Nothing, if everything that was noted is alive.

        Raises:
            UnhealthyError: a ReLU is nowhere over 0, or a sigmoid is at its ends everywhere; the sentence
                begins with ``name``.
        """
        for number, alive in enumerate(self.alive, 1):
            if not alive:
                raise UnhealthyError(
                    f"{name}: ReLU {number} of {len(self.alive)} is nowhere over 0 on any photo."
                )
        for number, between in enumerate(self.between, 1):
            if not between:
                raise UnhealthyError(
                    f"{name}: sigmoid {number} of {len(self.between)} is saturated everywhere on every "
                    f"photo, at {self.means[number - 1]:.3f}."
                )


def check_inputs(name: str, output: Callable[[Tensor], Tensor], inputs: Tensor) -> None:
    """Nothing, if every channel of ``inputs`` (B, C, ...) influences what ``output`` makes of them.

    Raises:
        UnhealthyError: the gradient of the output's sum of squares is 0 on all of a channel, or is no number.
    """
    learned_from = inputs.detach().clone().requires_grad_()
    result = output(learned_from)
    gradient = torch.autograd.grad(result.square().sum(), learned_from)[0]
    if not gradient.isfinite().all():
        raise UnhealthyError(f"{name}: the gradient with respect to its inputs is not finite.")
    for channel, part in enumerate(gradient.transpose(0, 1)):
        if not part.any():
            raise UnhealthyError(f"{name}: input {channel} has no influence on the output.")
