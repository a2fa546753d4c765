"""Every map that says where a classifier looks, by name: for whoever asks the same of all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from classifiers.base import Classifier
from explain.class_maps import COMBINATIONS, object_map, robust_cam
from explain.relevance import STARTS, relevance
from explain.saliency import offered, saliency

TOP_K = 5
"""Labels that a map of several combines."""


def saliency_name(method: str) -> str:
    """Of the saliency by ``method``."""
    return f"saliency {method}"


def robust_cam_name(combination: str) -> str:
    """Of the robust CAM by ``combination``."""
    return f"robust cam {combination}"


def relevance_name(start: str) -> str:
    """Of the relevance that begins at ``start``."""
    return f"relevance {start}"


def maps_of(model: Classifier) -> dict[str, Callable[[Tensor], Tensor]]:
    """Name -> photos (B, 3, H, W) in [0, 1] to maps (B, 1, H, W), >= 0, of every map that ``model`` has.

    Saliencies by each method that applies, the object map, the robust CAM by each combination, and the
    positive part of the relevance from each start, which is what becomes heat.
    """
    maps: dict[str, Callable[[Tensor], Tensor]] = {
        saliency_name(method): partial(saliency, model=model, method=method, top_k=TOP_K)
        for method in offered(model)
    }
    maps["object map"] = partial(object_map, model=model)
    for combination in COMBINATIONS:
        maps[robust_cam_name(combination)] = partial(_robust_cam, model=model, combination=combination)
    for start in STARTS:
        maps[relevance_name(start)] = partial(_positive_relevance, model=model, start=start)
    return maps


def _robust_cam(x: Tensor, model: Classifier, combination: str) -> Tensor:
    return robust_cam(x, model, top_k=TOP_K, combination=combination)


def _positive_relevance(x: Tensor, model: Classifier, start: str) -> Tensor:
    return relevance(x, model, start=start, top_k=TOP_K).clamp(min=0)
