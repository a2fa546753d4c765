"""What a classifier looks at, and a memory for it."""

from explain.class_maps import (
    COMBINATIONS,
    FLOOR,
    class_maps,
    combined,
    enlarged,
    object_map,
    robust_cam,
    top_maps,
)
from explain.every_map import maps_of, relevance_name, robust_cam_name, saliency_name
from explain.health import MapHealth, doubt
from explain.memo import Memo, PassingMemo, forgetting, kept_with_it, remember, remembered, remembering
from explain.prediction import logits
from explain.relevance import STANDS_IN, STARTS, propagates, relevance, relevance_formula, why_empty
from explain.saliencies import LOSSES, SALIENCIES
from explain.saliency import formula, offered, resolved_method, saliency, share_inside

__all__ = [
    "COMBINATIONS",
    "FLOOR",
    "LOSSES",
    "SALIENCIES",
    "STANDS_IN",
    "STARTS",
    "MapHealth",
    "Memo",
    "PassingMemo",
    "class_maps",
    "combined",
    "doubt",
    "enlarged",
    "forgetting",
    "formula",
    "kept_with_it",
    "logits",
    "maps_of",
    "object_map",
    "offered",
    "propagates",
    "relevance",
    "relevance_formula",
    "relevance_name",
    "remember",
    "remembered",
    "remembering",
    "resolved_method",
    "robust_cam",
    "robust_cam_name",
    "saliency",
    "saliency_name",
    "share_inside",
    "top_maps",
    "why_empty",
]
