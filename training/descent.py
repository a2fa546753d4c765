"""A network on its way down a loss: its weights, their running average, and the optimisers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.muon import optimizers


class Descent:
    """What every training of a network repeats: an update at a share of the highest learning rate.

    Args:
        network: on its device; all of it is averaged.
        learning_rate: the highest.
        weight_decay: of the convolutions.
        averaging: share of the running average that an update keeps, 0 to 1.
        learns: the part that changes; all of ``network`` by default.
    """

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float,
        weight_decay: float,
        averaging: float,
        learns: nn.Module | None = None,
    ) -> None:
        self.network = network
        self._average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(averaging), use_buffers=True)
        self._optimizers = optimizers(network if learns is None else learns, learning_rate, weight_decay)
        self._highest = [[group["lr"] for group in one.param_groups] for one in self._optimizers]

    @property
    def average(self) -> nn.Module:
        """A network like the one that learns, with the running average of its weights."""
        return self._average.module

    def update(self, loss: Tensor, rate: float) -> None:
        """Moves the weights down the gradient of ``loss``, a number; ``rate`` is a share of the highest."""
        for optimizer, highest in zip(self._optimizers, self._highest, strict=True):
            for group, most in zip(optimizer.param_groups, highest, strict=True):
                group["lr"] = rate * most
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self._optimizers:
            optimizer.step()
        self._average.update_parameters(self.network)

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {
            "network": self.network.state_dict(),
            "average": self._average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken; what else is in it is left alone."""
        self.network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
