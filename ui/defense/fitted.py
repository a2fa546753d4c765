"""What a page says where something was fitted on another classifier than the one in use."""

from __future__ import annotations

from classifiers import Classifier, title


def borrowed(classifier: Classifier, fitted_on: str) -> str:
    """A sentence if a fit on another classifier, that of identity ``fitted_on``, serves; else empty."""
    if classifier.identity == fitted_on:
        return ""
    name = fitted_on.rpartition(":")[0]
    if name == classifier.name:
        return "It was fitted on other weights of this classifier."
    return f"It was fitted on {title(name)}, not on this classifier."
