"""A classifier's network once more, to hang hooks on and to switch, over the same weights in memory."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

from torch import nn

from classifiers.base import Classifier


def twin_of(model: Classifier) -> tuple[nn.Module, nn.Module]:
    """The network and its stage as modules of their own, without hooks, over the same weights in memory."""
    network = model.network
    copies: dict[int, Any] = {}
    for module in network.modules():
        hooks = (value for name, value in vars(module).items() if name.endswith("_hooks"))
        copies |= {id(value): OrderedDict() for value in hooks}
    copies |= {id(weight): nn.Parameter(weight.detach(), False) for weight in network.parameters()}
    copies |= {id(buffer): buffer.detach() for buffer in network.buffers()}
    twin = copy.deepcopy(network, copies)
    return twin, copies[id(model.stage)]
