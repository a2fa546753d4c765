"""Which label an attack is after, photo by photo, the same by every door."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from attacks.base import Attack


def labels_for(
    attack: Attack,
    logits: Tensor,
    target: int | None = None,
    seed: int = 0,
    *,
    photos: Sequence[str] = (),
    truth: Tensor | None = None,
) -> Tensor:
    """The ``y`` (B,) that a door hands to ``attack``.

    A label to leave is the true one where it is known, else the model's prediction. A label to reach is
    ``target``, or by default a random one that is neither the true nor the predicted label.

    Args:
        attack: decides by its ``aim``.
        logits: (B, labels) of the model on the clean photos.
        target: number of the label to reach; None for a random one.
        seed: of the random labels.
        photos: (B,) digest of each photo, which fixes its random label together with ``seed``; all photos
            count as the same one where they have none.
        truth: (B,) numbers of the right labels; None where nobody knows them.

    Raises:
        ValueError: ``target`` is none of the labels, or the attack has no use for it.
    """
    predicted, labels = logits.argmax(1), logits.shape[1]
    if attack.aim == "untargeted":
        if target is not None:
            hint = " unless its goal is targeted" if attack.targeted == "either" else ""
            raise ValueError(f"{attack.title} takes no target{hint}")
        return predicted if truth is None else truth.to(predicted)
    if target is not None:
        if not 0 <= target < labels:
            raise ValueError(f"a target is the number of a label, 0 to {labels - 1}, not {target}")
        return torch.full_like(predicted, target)
    taken = torch.stack([predicted, predicted if truth is None else truth.to(predicted)], 1).tolist()
    drawn = [
        random_target(photo, labels, seed, excluded)
        for photo, excluded in zip(photos or [""] * len(taken), taken, strict=True)
    ]
    return torch.tensor(drawn, device=logits.device)


def random_target(photo: str, labels: int, seed: int, excluded: Collection[int]) -> int:
    """One of ``labels`` labels that is not ``excluded``, fixed by ``seed`` and the photo's digest.

    Labels are drawn one after another until one is free, so that whoever excludes more of them mostly ends
    with the same one. Where all are excluded the last of ``excluded`` counts as free.
    """
    if len(set(excluded)) >= labels:
        excluded = list(excluded)[:-1] if labels > 1 else ()
    number = 0
    while True:
        drawn = hashlib.sha256(f"{seed}:{photo}:{number}".encode()).digest()
        label = int.from_bytes(drawn) % labels
        if label not in excluded:
            return label
        number += 1
