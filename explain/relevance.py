"""Layer-wise relevance propagation (LRP): which pixels an activity in the network comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from classifiers.base import Classifier
from classifiers.efficientnet import EfficientNetLite, InvertedBlock
from classifiers.network import Block, ResidualNet, VGGNet
from explain.class_maps import NOTHING_SPEAKS, cam_formula, enlarged, top_maps
from explain.memo import remembered
from explain.twin import twin_of

STANDS_IN = "Relevance cannot be propagated through this network, so its class map stands in for it."
EPSILON = 1e-6
"""Keeps denominators from 0; zennit's own."""
_VGG, _RESNET = "torchvision.models.vgg", "torchvision.models.resnet"


def propagates(model: Classifier) -> bool:
    """Whether LRP knows every layer of ``model``: the built-in networks, torchvision's VGGs and ResNets."""
    network = model.network
    ours = isinstance(network, ResidualNet | VGGNet | EfficientNetLite)
    return ours or type(network).__module__ in (_VGG, _RESNET)


@dataclass(frozen=True)
class Start:
    """Where relevance begins.

    Attributes:
        formula: R in LaTeX.
        begin: logits (B, labels), the stage's activity (B, C, h, w) and ``top_k`` -> the one of the two that
            relevance begins at, and how much of it at each of its places.
        uses_top_k: whether more than one predicted label counts.
    """

    formula: str
    begin: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
    uses_top_k: bool = False


def _activity(scores: Tensor, activity: Tensor, labels: int) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    """The activity itself, whatever label it speaks for."""
    return activity, activity.detach()


def _distance(scores: Tensor, activity: Tensor, labels: int) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    """Of each logit its share in the distance of the top ``labels`` from the mean of the rest.

    Logits are defined up to a constant, so that one by itself can have any sign.
    """
    count = scores.shape[1]
    labels = max(1, min(labels, count - 1))
    top = scores.detach().topk(labels, dim=1).indices
    of_others = torch.full_like(scores, -labels / max(1, count - labels))
    return scores, scores.detach() * of_others.scatter(1, top, 1.0)


STARTS = {
    "class-free": Start(r"R = \mathrm{LRP}(A), \quad A = \text{activity of the last stage}", _activity),
    "predicted": Start(r"R = \mathrm{LRP}(f_{\hat{y}} - \overline{f})", _distance),
    "top-k": Start(
        r"R = \mathrm{LRP} \sum_{k=1}^{K} (f_{\hat{y}_k} - \overline{f})", _distance, uses_top_k=True
    ),
}
"""By the name that every door uses. A new one is a function and a line here."""


def relevance(
    x: Tensor, model: Classifier, *, start: str, top_k: int = 5, epsilon: float = EPSILON
) -> Tensor:
    """How much each pixel of photos ``x`` (B, 3, H, W) in [0, 1] brings about: (B, 1, H, W), signed.

    ``start``, one of ``STARTS``, says what of. "predicted": the distance of the predicted label's logit from
    the mean of the others'. "top-k": the distances of the ``top_k`` predicted labels' from the mean of the
    rest, added up; at most all labels but one. "class-free": the activity of ``model.stage``. Relevance is
    conserved: over the pixels it adds up to what it started with, less what biases and ``epsilon`` keep, and
    what arrives at an output of a linear bottleneck (EfficientNet-Lite) that no input raises.

    The rules are zennit's composite EpsilonPlus (ε in linear layers, z⁺ in convolutions), with each batch
    norm merged into the convolution before it. Where ``propagates`` says no it is the class map, >= 0:
    of the top label, where the start uses ``top_k`` the sum over so many labels.

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
    labels = top_k if STARTS[start].uses_top_k else 1
    if not propagates(model):
        return _class_map(x.detach(), model, labels)
    return _propagated(x.detach(), model, start=start, labels=labels, epsilon=epsilon)


def relevance_formula(start: str, model: Classifier) -> str:
    """R in LaTeX: what ``relevance`` shows of ``model``, the class map's where it stands in for LRP."""
    if propagates(model):
        return STARTS[start].formula
    if STARTS[start].uses_top_k:
        return r"R = \sum_{i=1}^{K} " + cam_formula(model, r"\hat{y}_i")
    return f"R = {cam_formula(model)}"


def why_empty(model: Classifier) -> str:
    """Why the positive part of ``relevance`` is 0 everywhere where it is, half a sentence."""
    return "no relevance reaches the pixels" if propagates(model) else NOTHING_SPEAKS


def _class_map(x: Tensor, model: Classifier, labels: int) -> Tensor:
    maps = top_maps(x, model, top_k=labels).relu().sum(1, keepdim=True)
    return enlarged(maps, x.shape[-2:])


@remembered
def _propagated(x: Tensor, model: Classifier, *, start: str, labels: int, epsilon: float) -> Tensor:
    # Imported here because only this method needs it.
    from zennit.composites import EpsilonPlus

    network, stage = twin_of(model)
    composite = EpsilonPlus(epsilon=epsilon, stabilizer=epsilon, canonizers=_canonizers(network))
    kept: list[Tensor] = []
    with torch.enable_grad(), composite.context(network):
        stage.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        photos = model.normalised(x).requires_grad_()
        scores = network(photos)
        source, put_in = STARTS[start].begin(scores, kept[-1], labels)
        (pixels,) = torch.autograd.grad(source, photos, grad_outputs=put_in)
    return pixels.sum(1, keepdim=True)


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
    if not (isinstance(module, Block) or (isinstance(module, InvertedBlock) and module.adds)):
        return None
    from zennit.layer import Sum

    add = Sum()

    def forward(x: Tensor) -> Tensor:
        if isinstance(module, InvertedBlock):
            return add(torch.stack((x, module.layers(x)), -1))
        ways = (module.shortcut(x), module.second(module.relu(module.first(x))))
        return module.relu(add(torch.stack(ways, -1)))

    return {"forward": forward, "sum": add}
