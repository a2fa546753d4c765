"""What a classifier looks at, and a memory for it."""

from explain.memo import Memo, remembered, remembering
from explain.prediction import logits
from explain.saliency import LOSSES, SALIENCIES, chosen, formula, saliency

__all__ = [
    "LOSSES",
    "SALIENCIES",
    "Memo",
    "chosen",
    "formula",
    "logits",
    "remembered",
    "remembering",
    "saliency",
]
