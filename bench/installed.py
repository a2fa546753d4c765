"""Peers that may be missing: what is not installed is named, and nothing breaks."""

from __future__ import annotations

from importlib.util import find_spec

_MODULES = {
    "ART": "art",
    "foolbox": "foolbox",
    "kornia": "kornia",
    "playwright": "playwright",
    "torchattacks": "torchattacks",
}
"""What people call it -> what Python imports; all other peers come with the app."""
DISTRIBUTIONS = {
    "ART": "adversarial-robustness-toolbox",
    "foolbox": "foolbox",
    "kornia": "kornia",
    "torchattacks": "torchattacks",
}
"""What people call it -> what pip installs."""
MISSING = "not installed"


def is_installed(peer: str) -> bool:
    """Whether ``peer`` can be imported."""
    return peer not in _MODULES or find_spec(_MODULES[peer]) is not None
