"""Networks with labels, normalisation and identity: built-in, torchvision's, timm's, a visitor's own."""

from __future__ import annotations

import torch

from classifiers.architectures import find_architecture
from classifiers.base import Classifier, ClassifierError, Prediction, Progress
from classifiers.builtin import (
    BUILTIN,
    IMAGENET,
    builtin_files,
    builtin_names,
    builtin_title,
    load_builtin,
    read_card,
)
from classifiers.device import available_devices, pick_device
from classifiers.own import architectures, own
from classifiers.timm_zoo import OFFERED, is_timm, load_timm, may_be_timm
from classifiers.timm_zoo import title as timm_title
from classifiers.zoo import load_zoo, zoo_names

__all__ = [
    "BUILTIN",
    "IMAGENET",
    "Classifier",
    "ClassifierError",
    "Prediction",
    "Progress",
    "architectures",
    "attack_strength",
    "available_devices",
    "builtin_names",
    "default_name",
    "load",
    "may_be_timm",
    "names",
    "own",
    "pick_device",
    "read_card",
    "title",
]


def default_name() -> str:
    """The one that looks where nothing else is said: the first whose weights are installed."""
    return next(name for name in builtin_names() if builtin_files(name).installed)


def attack_strength(name: str) -> dict[str, float | int | str]:
    """How strong attacks on a built-in classifier are by default.

    "eps" (in [0, 1]) and "iterations" of the weakest iterated FGSM that fools it nearly always, and
    "patch goal", which is "targeted" where a patch learned for one photo mostly gets to any label.

    Empty where nothing was measured. ``experiments.attack_strength`` writes it on the card.
    """
    measured = read_card(name).get("attack", {}) if name in builtin_names() else {}
    return {key: measured[key] for key in ("eps", "iterations", "patch goal") if key in measured}


def names() -> tuple[str, ...]:
    """All that are offered: the built-in classifiers, torchvision's, and some of timm's."""
    return *builtin_names(), *zoo_names(), *OFFERED


def title(name: str) -> str:
    """A classifier's name as papers write it, ``ResNet-50`` for ``resnet50``; others stay as they are."""
    if is_timm(name):
        return timm_title(name)
    entry = find_architecture(name)
    return entry.title if entry else builtin_title(name) if name in builtin_names() else name


def load(
    name: str, *, device: str | torch.device | None = None, progress: Progress | None = None
) -> Classifier:
    """The classifier of that name, in evaluation mode, its weights frozen.

    Args:
        name: one of ``names()``, or any of timm's behind ``timm/``.
        device: as for ``pick_device``.
        progress: called with bytes (done, total) while weights are downloaded on first use.

    Raises:
        ClassifierError: unknown name or device, no network, a damaged file.
    """
    target = pick_device(device)
    if name in builtin_names():
        return load_builtin(name, device=target)
    if is_timm(name):
        return load_timm(name, device=target, progress=progress)
    entry = find_architecture(name)
    if entry is None:
        raise ClassifierError(f"The classifier is one of {', '.join(names())}, not {name!r}")
    return load_zoo(entry, device=target, progress=progress)
