"""Where a classifier looks: one non-negative map per photo, by five methods."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from classifiers.base import Classifier
from explain.class_maps import enlarged, evidence, top_maps
from explain.memo import remembered
from explain.prediction import logits

SALIENCIES = ("gradient", "cam", "hirescam", "smoothgrad", "integrated-gradients")
_BY_PLACE = ("cam", "hirescam")
"""Those that take no loss: maps of the last convolutional stage."""
LOSSES = ("cross-entropy", "top score")
FORMULAS = {
    "gradient": r"M = \max_c \left| \nabla_x L(x) \right|",
    "hirescam": r"M = \mathrm{ReLU}\left( \sum_k \frac{\partial f_{\hat{y}}}{\partial A_k} \odot A_k \right)",
    "smoothgrad": r"M = \max_c \left| \frac{1}{n} \sum_{i=1}^{n} \nabla_x L(x + \sigma z_i) \right|",
    "integrated-gradients": r"M = \max_c \left| x \odot \int_0^1 \nabla_x L(\alpha x)\, d\alpha \right|",
}
CAM = r"\mathrm{ReLU}\left( \sum_k w_{\hat{y} k}\, A_k \right)"
LAYERCAM = r"\sum_k \mathrm{ReLU}\left( \frac{\partial f_{\hat{y}}}{\partial A_k} \right) \odot A_k"
SAMPLES = 16
"""Noisy copies of the photo that SmoothGrad averages over."""
NOISE = 0.15
"""Their standard deviation, as a share of the range of x (Smilkov et al. 2017: 0.1 to 0.2)."""
PATH_STEPS = 16
"""Gauss-Legendre nodes between black and the photo, for Integrated Gradients."""
PATH_BATCH = 8
"""How many photos of the path pass through the classifier together (never fewer than the batch has)."""


def chosen(method: str, model: Classifier) -> str:
    """One of ``SALIENCIES``: ``method``, or for "auto" the one that gathers on patches in ``model``.

    Raises:
        ValueError: neither "auto" nor one of them.
    """
    method = model.saliency if method == "auto" else method
    if method not in SALIENCIES:
        raise ValueError(f"saliency is one of auto, {', '.join(SALIENCIES)}, not {method!r}")
    return method


def cam_formula(model: Classifier) -> str:
    """What "cam" is for ``model``, in LaTeX: exact, or LayerCAM where there is no linear head."""
    return LAYERCAM if model.head is None else CAM


def formula(method: str, model: Classifier, *, top_k: int = 5, loss: str = "cross-entropy") -> str:
    """M by ``method`` for ``model``, in LaTeX, and the L whose gradient it takes (see ``saliency``)."""
    method = chosen(method, model)
    if method == "cam":
        return f"M = {cam_formula(model)}"
    if method in _BY_PLACE:
        return FORMULAS[method]
    of = (
        r"\max_y f_y(x)"
        if loss == "top score"
        else rf"\sum_{{k=1}}^{{{top_k}}} \mathrm{{CE}}(f(x), \hat{{y}}_k)"
    )
    return rf"{FORMULAS[method]}, \quad L = {of}"


def saliency(
    x: Tensor, model: Classifier, *, method: str, top_k: int = 5, loss: str = "cross-entropy", seed: int = 0
) -> Tensor:
    """Where ``model`` looks in photos ``x`` (B, 3, H, W) in [0, 1]: (B, 1, H, W), >= 0, of any scale.

    Methods: ``gradient`` is |∂L/∂x|; ``smoothgrad`` is |mean of ∂L/∂x| over ``SAMPLES`` photos with noise
    added; ``integrated-gradients`` is the absolute attribution of L on the way from black to x; each the
    largest over the channels. ``cam`` is the positive part of the predicted label's class activation map
    (``class_maps.class_maps``: LayerCAM where there is no linear head), upsampled; ``hirescam`` that of its
    evidence by place (``class_maps.evidence``).

    L, for ``loss="cross-entropy"``, is the cross-entropy summed over the ``top_k`` labels that are predicted
    on x (fewer if the model has fewer); for "top score" it is the logit of the first of them.

    The map has a gradient with respect to ``x``, by differentiating twice, where ``x`` asks for one.

    Source: You-Wei and Sheng-De 2022, "Enhanced Local Gradient Smoothing", eq. 6 and below; Simonyan et al.
    2013 (top score); Zhou et al. 2016 (CAM); Jiang et al. 2021, "LayerCAM" (where the classifier has no
    linear head); Draelos and Carin 2020 (HiResCAM); Smilkov et al. 2017 (SmoothGrad); Sundararajan et al.
    2017 (Integrated Gradients).

    Raises:
        ValueError: an unknown method or loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss is one of {', '.join(LOSSES)}, not {loss!r}")
    match chosen(method, model):
        case "cam":
            return _cam(x, model)
        case "hirescam":
            return _hirescam(x, model)
        case "smoothgrad":
            return _smoothgrad(x, model, top_k=top_k, loss=loss, seed=seed)
        case "integrated-gradients":
            return _integrated_gradients(x, model, top_k=top_k, loss=loss)
        case _:
            return _gradient(x, model, top_k=top_k, loss=loss)


def share_inside(maps: Tensor, mask: Tensor) -> Tensor:
    """(B,) share of the mass of each of ``maps`` (B, 1, H, W), >= 0, that lies where ``mask`` is 1.

    ``mask`` is (B, 1, H, W) or one for all, (1, 1, H, W). The share of a map of zeros is 0.
    """
    total = maps.sum((1, 2, 3))
    return (maps * mask).sum((1, 2, 3)) / total.clamp(min=torch.finfo(maps.dtype).tiny)


@remembered
def _gradient(x: Tensor, model: Classifier, *, top_k: int, loss: str) -> Tensor:
    return _strongest(_slope(x, model, None, top_k, loss))


@remembered
def _smoothgrad(x: Tensor, model: Classifier, *, top_k: int, loss: str, seed: int) -> Tensor:
    labels = _predicted(logits(x.detach(), model), top_k)
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(x)
    for _ in range(SAMPLES):
        # Drawn on the CPU, one noise for all photos: the same alone, in a batch and on every device.
        noise = torch.randn(x.shape[1:], generator=generator).to(x)
        total = total + _slope(x + NOISE * noise, model, labels, top_k, loss)
    return _strongest(total / SAMPLES)


@remembered
def _integrated_gradients(x: Tensor, model: Classifier, *, top_k: int, loss: str) -> Tensor:
    # Imported here because it takes more than a second, which only this method needs.
    from captum.attr import IntegratedGradients

    labels = _predicted(logits(x.detach(), model), top_k)
    differentiable = _wants_gradient(x)

    def total(photos: Tensor, labels: Tensor) -> Tensor:
        return _loss(model(photos), labels, loss)

    def slope(
        inputs: tuple[Tensor], additional_forward_args: tuple[Tensor], **_: object
    ) -> tuple[Tensor, ...]:
        value = total(*inputs, *additional_forward_args).sum()
        return torch.autograd.grad(value, inputs, create_graph=differentiable)

    path: Any = IntegratedGradients(total)
    path.gradient_func = slope  # captum's own cuts the graph, and so do its chunks
    with torch.enable_grad():
        attribution = path.attribute(
            x if differentiable else x.detach(),
            baselines=0,
            additional_forward_args=labels,
            n_steps=PATH_STEPS,
            internal_batch_size=None if differentiable else max(PATH_BATCH, len(x)),
        )
    return _strongest(attribution if differentiable else attribution.detach())


@remembered
def _cam(x: Tensor, model: Classifier) -> Tensor:
    """The positive part of the predicted label's class activation map."""
    return enlarged(top_maps(x, model, top_k=1).relu(), x.shape[-2:])


@remembered
def _hirescam(x: Tensor, model: Classifier) -> Tensor:
    """The positive part of the predicted label's evidence by place."""
    return enlarged(evidence(x, model).relu(), x.shape[-2:])


def _slope(x: Tensor, model: Classifier, labels: Tensor | None, top_k: int, loss: str) -> Tensor:
    """∂L/∂x, (B, 3, H, W); L of ``labels`` (B, k), or of the labels predicted on this very ``x``."""
    differentiable = _wants_gradient(x)
    with torch.enable_grad():
        photos = x if differentiable else x.detach().requires_grad_()
        scores = model(photos)
        total = _loss(scores, _predicted(scores, top_k) if labels is None else labels, loss).sum()
        return torch.autograd.grad(total, photos, create_graph=differentiable)[0]


def _wants_gradient(x: Tensor) -> bool:
    return x.requires_grad and torch.is_grad_enabled()


def _loss(scores: Tensor, labels: Tensor, loss: str) -> Tensor:
    """L of each photo, (B,), from logits (B, labels) and the predicted labels (B, k), likeliest first."""
    if loss == "top score":
        return scores.gather(1, labels[:, :1]).sum(1)
    return -scores.log_softmax(1).gather(1, labels).sum(1)


def _predicted(scores: Tensor, top_k: int) -> Tensor:
    """The ``top_k`` likeliest labels of each photo, (B, k), likeliest first."""
    return scores.detach().topk(min(top_k, scores.shape[1]), dim=1).indices


def _strongest(gradients: Tensor) -> Tensor:
    """The largest absolute value over the channels: (B, 3, H, W) -> (B, 1, H, W)."""
    return gradients.abs().amax(1, keepdim=True)
