"""Where a classifier looks: one non-negative map per photo, by any method of ``explain.saliencies``."""

from __future__ import annotations

import torch
from torch import Tensor

from classifiers.base import Classifier
from explain.memo import remembered
from explain.saliencies import LOSSES, SALIENCIES, Loss


def resolved_method(method: str, model: Classifier) -> str:
    """One of ``SALIENCIES``: ``method``, or for "auto" the one that gathers on patches in ``model``.

    Raises:
        ValueError: neither "auto" nor one of them.
    """
    method = model.saliency if method == "auto" else method
    if method not in SALIENCIES:
        raise ValueError(f"saliency is one of auto, {', '.join(SALIENCIES)}, not {method!r}")
    return method


def offered(model: Classifier) -> tuple[str, ...]:
    """Those of ``SALIENCIES`` that apply to ``model``."""
    return tuple(name for name, method in SALIENCIES.items() if method.applies(model))


def formula(method: str, model: Classifier, *, top_k: int = 5, loss: str = LOSSES[0]) -> str:
    """M by ``method`` for ``model``, in LaTeX, and the L whose gradient it takes (see ``saliency``)."""
    asked = SALIENCIES[resolved_method(method, model)]
    of = rf", \quad L = {Loss(loss, top_k).formula}" if asked.uses_loss else ""
    return f"M = {asked.formula(model)}{of}"


def saliency(
    x: Tensor, model: Classifier, *, method: str, top_k: int = 5, loss: str = LOSSES[0], seed: int = 0
) -> Tensor:
    """Where ``model`` looks in photos ``x`` (B, 3, H, W) in [0, 1]: (B, 1, H, W), >= 0, of any scale.

    ``method`` is one of ``SALIENCIES`` or "auto"; ``loss`` and ``top_k`` say whose gradient it takes
    (``Loss``), ``seed`` what it draws, where it does so. The map has a gradient with respect to ``x``, by
    differentiating twice, where ``x`` asks for one.

    Raises:
        ValueError: an unknown method or loss.
    """
    asked, name = Loss(loss, top_k), resolved_method(method, model)
    # What a method does not use is left at one value, so that the memo knows its map whatever was asked.
    asked = asked if SALIENCIES[name].uses_loss else Loss()
    return _map(x, model, method=name, loss=asked, seed=seed if SALIENCIES[name].is_random else 0)


@remembered
def _map(x: Tensor, model: Classifier, *, method: str, loss: Loss, seed: int) -> Tensor:
    return SALIENCIES[method].map(x, model, loss=loss, seed=seed)


def share_inside(maps: Tensor, mask: Tensor) -> Tensor:
    """(B,) share of the mass of each of ``maps`` (B, 1, H, W), >= 0, that lies where ``mask`` is 1.

    ``mask`` is (B, 1, H, W) or one for all, (1, 1, H, W). The share of a map of zeros is 0.
    """
    total = maps.sum((1, 2, 3))
    return (maps * mask).sum((1, 2, 3)) / total.clamp(min=torch.finfo(maps.dtype).tiny)
