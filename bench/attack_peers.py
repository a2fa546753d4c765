"""What people would use instead of an attack of ours: the same steps on the same photos, without a draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attacks import Attack
from attacks.placement import PatchAttack
from classifiers.base import Classifier

Peer = Callable[[], Tensor]
_NORMS = {"pgd-l2": 2}
"""Of the ball; L∞ for all others."""
_TORCHATTACKS = {"fgsm": "FGSM", "iterated-fgsm": "BIM", "pgd": "PGD", "pgd-l2": "PGDL2"}
_FOOLBOX = {
    "fgsm": "LinfFastGradientAttack",
    "iterated-fgsm": "LinfBasicIterativeAttack",
    "pgd": "LinfPGD",
    "pgd-l2": "L2PGD",
}
_ART = {
    "fgsm": "FastGradientMethod",
    "iterated-fgsm": "BasicIterativeMethod",
    "pgd": "ProjectedGradientDescent",
    "pgd-l2": "ProjectedGradientDescent",
}


def peers_of(
    name: str, attack: Attack, x: Tensor, y: Tensor, model: Classifier
) -> Mapping[str, Callable[[], Peer]]:
    """Peer -> what makes it ready to attack photos ``x`` (B, 3, H, W) in [0, 1].

    ``y`` (B,) are the labels to leave, or to reach by a patch. What makes a peer ready imports it; it may not
    be installed.
    """
    values: Mapping[str, Any] = attack.values()
    if isinstance(attack, PatchAttack):
        return {"ART": partial(_art_patch, attack, x, y, model)}
    return {
        "torchattacks": partial(_torchattacks, name, values, x, y, model),
        "foolbox": partial(_foolbox, name, values, x, y, model),
        "ART": partial(_art, name, values, x, y, model),
    }


def _torchattacks(name: str, values: Mapping[str, Any], x: Tensor, y: Tensor, model: Classifier) -> Peer:
    import torchattacks

    options = {"eps": values["eps"]}
    if "step" in values:
        options |= {"alpha": values["step"], "steps": values["iterations"]}
    if "random_start" in values:
        options["random_start"] = False
    attack = getattr(torchattacks, _TORCHATTACKS[name])(model, **options)
    return lambda: attack(x, y)


def _foolbox(name: str, values: Mapping[str, Any], x: Tensor, y: Tensor, model: Classifier) -> Peer:
    import foolbox as library

    foolbox: Any = library

    options = {}
    if "step" in values:
        options = {"abs_stepsize": values["step"], "steps": values["iterations"], "random_start": False}
    attack = getattr(foolbox.attacks, _FOOLBOX[name])(**options)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device)
    criterion = foolbox.criteria.Misclassification(y)
    return lambda: attack.run(wrapped, x, criterion, epsilon=values["eps"])


def _art(name: str, values: Mapping[str, Any], x: Tensor, y: Tensor, model: Classifier) -> Peer:
    from art.attacks import evasion

    options: dict[str, Any] = {"eps": values["eps"], "batch_size": len(x)}
    if name in _NORMS:
        options["norm"] = _NORMS[name]
    if "step" in values:
        options |= {"eps_step": values["step"], "max_iter": values["iterations"], "verbose": False}
    attack = getattr(evasion, _ART[name])(art_estimator(model, x), **options)
    photos, labels = x.cpu().numpy(), y.cpu().numpy()
    return lambda: torch.from_numpy(attack.generate(photos, labels))


def _art_patch(attack: PatchAttack, x: Tensor, y: Tensor, model: Classifier) -> Peer:
    """One patch for all photos, of the same size and place, in as many steps."""
    from art.attacks.evasion import AdversarialPatchPyTorch

    values: Mapping[str, Any] = attack.values()
    box = attack.box(x.shape[2], x.shape[3])
    learning = partial(
        AdversarialPatchPyTorch,
        art_estimator(model, x),
        rotation_max=0.0,
        learning_rate=0.05,
        max_iter=values["iterations"],
        batch_size=len(x),
        patch_shape=(3, box.side, box.side),
        patch_location=(box.left, box.top),
        patch_type="square",
        optimizer="Adam",
        targeted=True,
        verbose=False,
    )
    photos, wanted = x.cpu().numpy(), np.eye(len(model.labels), dtype=np.float32)[y.cpu().numpy()]

    def work() -> Tensor:
        patch, _mask = learning().generate(photos, wanted)
        return torch.from_numpy(patch)

    return work


def art_estimator(classifier: Classifier, x: Tensor) -> Any:
    """``classifier`` as ART wants it, for photos of the shape of ``x`` (N, 3, H, W)."""
    from art.estimators.classification import PyTorchClassifier

    return PyTorchClassifier(
        classifier,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(x.shape[1:]),
        nb_classes=len(classifier.labels),
        clip_values=(0.0, 1.0),
        device_type="gpu" if classifier.device.type == "cuda" else "cpu",
    )
