"""Layer-wise relevance propagation (LRP): which pixels an activity in the network comes from."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from classifiers.base import Classifier
from classifiers.network import Block, ResidualNet, VGGNet
from explain.class_maps import enlarged, top_maps
from explain.memo import remembered

STARTS = ("class-free", "predicted", "top-k")
STANDS_IN = "Relevance cannot be propagated through this network, so its class map stands in for it."
EPSILON = 1e-6
"""Keeps denominators from 0; zennit's own."""
_VGG, _RESNET = "torchvision.models.vgg", "torchvision.models.resnet"


def propagates(model: Classifier) -> bool:
    """Whether LRP knows every layer of ``model``: the built-in networks, torchvision's VGGs and ResNets."""
    network = model.network
    return isinstance(network, ResidualNet | VGGNet) or type(network).__module__ in (_VGG, _RESNET)


def relevance(
    x: Tensor, model: Classifier, *, start: str, top_k: int = 5, epsilon: float = EPSILON
) -> Tensor:
    """How much each pixel of photos ``x`` (B, 3, H, W) in [0, 1] brings about: (B, 1, H, W), signed.

    ``start`` says what of. "predicted": the distance of the predicted label's logit from the mean of the
    others' (logits are defined up to a constant, so that one by itself can have any sign). "top-k": the
    distances of the ``top_k`` predicted labels' from the mean of the rest, added up; at most all labels but
    one. "class-free": the activity of ``model.stage``, whatever label it speaks for. Relevance is
    conserved: over the pixels it adds up to what it started with, less what biases and ``epsilon`` keep.

    The rules are zennit's composite EpsilonPlus (ε in linear layers, z⁺ in convolutions), with each batch
    norm merged into the convolution before it. Where ``propagates`` says no it is the class map, >= 0:
    of the top label for "predicted" and "class-free", else the sum over the ``top_k`` labels.

    Nobody else's pass through the network is touched: the hooks sit on a twin that lives as long as the call.
    The twin shares the weights; only the merged convolutions take memory of their own, at most as much as the
    network's weights. The map has no gradient with respect to ``x``.

    Source: Bach et al. 2015, "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise
    Relevance Propagation"; Anders et al. 2021 (zennit).

    Raises:
        ValueError: an unknown start.
    """
    if start not in STARTS:
        raise ValueError(f"start is one of {', '.join(STARTS)}, not {start!r}")
    labels = top_k if start == "top-k" else 1
    if not propagates(model):
        return _class_map(x.detach(), model, labels)
    return _propagated(x.detach(), model, class_free=start == "class-free", labels=labels, epsilon=epsilon)


def _class_map(x: Tensor, model: Classifier, labels: int) -> Tensor:
    maps = top_maps(x, model, top_k=labels).relu().sum(1, keepdim=True)
    return enlarged(maps, x.shape[-2:])


@remembered
def _propagated(x: Tensor, model: Classifier, *, class_free: bool, labels: int, epsilon: float) -> Tensor:
    # Imported here because only this method needs it.
    from zennit.composites import EpsilonPlus

    network, stage = _twin(model)
    composite = EpsilonPlus(epsilon=epsilon, stabilizer=epsilon, canonizers=_canonizers(network))
    kept: list[Tensor] = []
    with torch.enable_grad(), composite.context(network):
        stage.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        photos = model.normalised(x).requires_grad_()
        scores = network(photos)
        if class_free:
            source, put_in = kept[-1], kept[-1].detach()
        else:
            source, put_in = scores, _above_the_rest(scores.detach(), labels)
        (pixels,) = torch.autograd.grad(source, photos, grad_outputs=put_in)
    return pixels.sum(1, keepdim=True)


def _above_the_rest(scores: Tensor, labels: int) -> Tensor:
    """(B, labels) of each logit its share in the distance of the top ``labels`` from the mean of the rest."""
    count = scores.shape[1]
    labels = max(1, min(labels, count - 1))
    of_others = torch.full_like(scores, -labels / max(1, count - labels))
    return scores * of_others.scatter(1, scores.topk(labels, dim=1).indices, 1.0)


def _twin(model: Classifier) -> tuple[nn.Module, nn.Module]:
    """The network and its stage as modules of their own, without hooks, over the same weights in memory."""
    network = model.network
    known: dict[int, Any] = {}
    for module in network.modules():
        known |= {id(value): OrderedDict() for name, value in vars(module).items() if name.endswith("_hooks")}
    known |= {id(weight): nn.Parameter(weight.detach(), False) for weight in network.parameters()}
    known |= {id(buffer): buffer.detach() for buffer in network.buffers()}
    twin = copy.deepcopy(network, known)
    return twin, known[id(model.stage)]


def _canonizers(network: nn.Module) -> list[Any]:
    """What brings ``network`` into the form that the rules expect."""
    if type(network).__module__ == _VGG:
        from zennit.torchvision import VGGCanonizer

        return [VGGCanonizer()]
    if type(network).__module__ == _RESNET:
        from zennit.torchvision import ResNetCanonizer

        return [ResNetCanonizer()]
    from zennit.canonizers import AttributeCanonizer, SequentialMergeBatchNorm

    return [SequentialMergeBatchNorm(), AttributeCanonizer(_summing)]


def _summing(_name: str, module: nn.Module) -> dict[str, Any] | None:
    """Lets a residual block add by a module, where a rule can take hold."""
    if not isinstance(module, Block):
        return None
    from zennit.layer import Sum

    add = Sum()

    def forward(x: Tensor) -> Tensor:
        ways = (module.shortcut(x), module.second(module.relu(module.first(x))))
        return module.relu(add(torch.stack(ways, -1)))

    return {"forward": forward, "sum": add}
