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
from explain.memo import Memo, PassingMemo, forgetting, kept_with_it, remember, remembered, remembering
from explain.prediction import logits
from explain.relevance import STANDS_IN, STARTS, propagates, relevance, relevance_formula
from explain.saliencies import LOSSES, SALIENCIES
from explain.saliency import formula, offered, resolved_method, saliency, share_inside

__all__ = [
    "COMBINATIONS",
    "FLOOR",
    "LOSSES",
    "SALIENCIES",
    "STANDS_IN",
    "STARTS",
    "Memo",
    "PassingMemo",
    "class_maps",
    "combined",
    "enlarged",
    "forgetting",
    "formula",
    "kept_with_it",
    "logits",
    "object_map",
    "offered",
    "propagates",
    "relevance",
    "relevance_formula",
    "remember",
    "remembered",
    "remembering",
    "resolved_method",
    "robust_cam",
    "saliency",
    "share_inside",
    "top_maps",
]
