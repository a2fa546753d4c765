"""Class activation maps: where the evidence for a label lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from classifiers.base import Classifier
from explain.memo import remembered
from ops.scaling import mean, min_max

COMBINATIONS = ("halving-weights", "geometric-mean")
NOTHING_SPEAKS = "no place speaks more for the predicted label than for the average one"
"""Why the positive part of a class activation map is empty where it is."""
FLOOR = 0.1
"""What "geometric-mean" lays under each map, of its range: a product with an exact 0 forgets all others."""


def class_maps(x: Tensor, model: Classifier, labels: Tensor) -> Tensor:
    """The class activation map of each of ``labels`` (B, K), (B, K, h, w), of the size of ``model.stage``.

    The map of the logit's distance from the mean over all labels, f_y − mean f. Logits are defined up to a
    constant: whatever is added to the weights of all labels changes no prediction, so the zero of a single
    label's map means nothing. The zero of the distance does: there the place speaks as much for the label as
    for the average one.

    Exact by the one linear layer behind the average pooling: Σ_c (w_yc − mean w_c) A_c, whose mean is that
    distance without the biases (Zhou et al. 2016, who leave the weights as they are). Where the classifier
    has no such layer, LayerCAM: Σ_c max(∂(f_y − mean f)/∂A_c, 0) A_c, each place weighed by its own gradient
    (Jiang et al. 2021). Grad-CAM, which averages the gradient over the places, would lose what a maximum
    keeps: which place decided. Differentiable in ``x`` where ``x`` asks for it.
    """
    return _maps(x, model, lambda _scores: labels)


def cam_formula(model: Classifier, label: str = r"\hat{y}") -> str:
    """The positive part of ``class_maps`` in LaTeX: exact, or LayerCAM where there is no linear head.

    Args:
        model: the classifier.
        label: whose map it is, in LaTeX.
    """
    weighed = rf"(w_{{{label} k}} - \overline{{w}}_k)\, A_k"
    if model.head is None:
        weighed = rf"\mathrm{{ReLU}}\left( {slope_formula(label)} \right) \odot A_k"
    return rf"\mathrm{{ReLU}}\left( \sum_k {weighed} \right)"


def slope_formula(label: str = r"\hat{y}") -> str:
    """The gradient in LaTeX that weighs the features: of a logit's distance from the mean of all."""
    return rf"\frac{{\partial (f_{{{label}}} - \overline{{f}})}}{{\partial A_k}}"


def object_map(x: Tensor, model: Classifier) -> Tensor:
    """Where the predicted label's evidence lies, (B, 1, H, W), >= 0: its class activation map above its mean.

    A class activation map may be positive all over: the biases are not in it. Counted from its mean it is
    empty only where it is the same everywhere, and a region of any size holds, over all places, its own share
    of the area.
    """
    maps = enlarged(top_maps(x, model, top_k=1), x.shape[-2:])
    return (maps - mean(maps)).clamp(min=0)


@remembered
def top_maps(x: Tensor, model: Classifier, *, top_k: int) -> Tensor:
    """The maps of the ``top_k`` labels that are predicted on ``x``, likeliest first, (B, K, h, w)."""
    return _maps(x, model, lambda scores: scores.topk(min(top_k, scores.shape[1]), dim=1).indices)


def _maps(x: Tensor, model: Classifier, choose: Callable[[Tensor], Tensor]) -> Tensor:
    """The maps of the labels (B, K) that ``choose`` takes from the logits; one pass through the network."""
    if model.head is None:
        return _by_place(x, model, choose, torch.relu)
    scores, features = model.with_features(x)  # (B, labels), (B, C, h, w)
    weights = model.head.weight
    return torch.einsum("bkc,bchw->bkhw", weights[choose(scores.detach())] - weights.mean(0), features)


@remembered
def evidence(x: Tensor, model: Classifier) -> Tensor:
    """Evidence for the predicted label by place, (B, 1, h, w): HiResCAM, gradient ⊙ features.

    The gradient is that of the logit's distance from the mean of all, as in ``class_maps``. What speaks
    against the label is subtracted, which LayerCAM leaves out: behind a maximum over all places it is
    non-zero only where the maxima lie, and there for and against may cancel. Where a global average pooling
    and one linear layer follow, it is the class activation map divided by its number of places.
    Differentiable in ``x`` where ``x`` asks for it.

    Source: Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks".
    """
    return _by_place(x, model, lambda scores: scores.argmax(1, keepdim=True), lambda slope: slope)


def _by_place(
    x: Tensor, model: Classifier, choose: Callable[[Tensor], Tensor], weight: Callable[[Tensor], Tensor]
) -> Tensor:
    """Σ_c ``weight``(∂(f_y − mean f)/∂A_c) A_c, (B, K, h, w), of labels y (B, K) that ``choose`` takes."""
    differentiable = x.requires_grad and torch.is_grad_enabled()
    with torch.enable_grad():
        scores, features = model.with_features(x if differentiable else x.detach().requires_grad_())
        # Summed over the photos, whose gradients do not mix.
        distances = scores - scores.mean(1, keepdim=True)
        each = distances.gather(1, choose(scores.detach())).sum(0)
        slopes = [
            torch.autograd.grad(one, features, create_graph=differentiable, retain_graph=True)[0]
            for one in each
        ]
        maps = torch.stack([(weight(slope) * features).sum(1) for slope in slopes], 1)
    return maps if differentiable else maps.detach()


def combined(maps: Tensor, combination: str) -> Tensor:
    """One map of the maps of several labels, likeliest first: (B, K, h, w) -> (B, 1, h, w) in [0, 1].

    Each map is stretched to [0, 1] first. In "halving-weights", the paper's, the label of rank i = 1, 2, ...
    counts 1 / 2^i, and a map's exact zeros take nothing from the others. "geometric-mean" is the post's, over
    a ``FLOOR``: a stretched map is exactly 0 somewhere, LayerCAM at most places behind a maximum, and where
    one of the maps is 0 the others still count. By the deletion test the paper's says more of what the small
    classifiers decide by (``experiments.map_faithfulness``): the fifth of 112 labels is hardly likely, and in
    a product its map counts as much as the first.

    Raises:
        ValueError: an unknown combination.
    """
    each = min_max(maps)
    if combination == "geometric-mean":
        one = (FLOOR + (1 - FLOOR) * each).log().mean(1, keepdim=True).exp()
    elif combination == "halving-weights":
        weights = 0.5 ** torch.arange(1, maps.shape[1] + 1, device=maps.device, dtype=maps.dtype)
        one = (each * weights.view(1, -1, 1, 1)).sum(1, keepdim=True)
    else:
        raise ValueError(f"combination is one of {', '.join(COMBINATIONS)}, not {combination!r}")
    return min_max(one)


def enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    """(B, K, h, w) -> (B, K, *size), bilinear."""
    return F.interpolate(maps, list(size), mode="bilinear", align_corners=False)


@remembered
def robust_cam(x: Tensor, model: Classifier, *, top_k: int, combination: str) -> Tensor:
    """Where the objects of the ``top_k`` predicted labels are, (B, 1, H, W) in [0, 1].

    A single adversarial label among them spoils the map less than it spoils its own. The maps are combined in
    the size in which the network computes them, then enlarged.

    Source: Prakash et al. 2018, "Deflecting Adversarial Attacks with Pixel Deflection", and the post to it.
    """
    return min_max(enlarged(combined(top_maps(x, model, top_k=top_k), combination), x.shape[-2:]))
