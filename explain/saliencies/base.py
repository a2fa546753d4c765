"""What a saliency method is: a map of where a classifier looks, and the loss that it may be asked about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifiers.base import Classifier

LOSSES = ("cross-entropy", "top score")


@dataclass(frozen=True)
class Loss:
    """L, whose gradient a saliency takes, of the labels that a classifier predicts.

    Attributes:
        kind: "cross-entropy", summed over the ``top_k`` likeliest labels, or "top score", the logit of the
            likeliest one.
        top_k: how many labels; fewer where the classifier has fewer.

    Source: You-Wei and Sheng-De 2022, "Enhanced Local Gradient Smoothing", eq. 6 and below; Simonyan et al.
    2013 (top score).

    Raises:
        ValueError: an unknown kind.
    """

    kind: str = LOSSES[0]
    top_k: int = 5

    def __post_init__(self) -> None:
        if self.kind not in LOSSES:
            raise ValueError(f"loss is one of {', '.join(LOSSES)}, not {self.kind!r}")

    @property
    def formula(self) -> str:
        """L in LaTeX."""
        if self.kind == "top score":
            return r"\max_y f_y(x)"
        return rf"\sum_{{k=1}}^{{{self.top_k}}} \mathrm{{CE}}(f(x), \hat{{y}}_k)"

    def labels(self, scores: Tensor) -> Tensor:
        """The predicted labels (B, k) in logits (B, labels), likeliest first."""
        return scores.detach().topk(min(self.top_k, scores.shape[1]), dim=1).indices

    def of(self, scores: Tensor, labels: Tensor) -> Tensor:
        """L of each photo, (B,), from its logits (B, labels) and its predicted labels (B, k)."""
        if self.kind == "top score":
            return scores.gather(1, labels[:, :1]).sum(1)
        return -scores.log_softmax(1).gather(1, labels).sum(1)

    def slope(self, x: Tensor, model: Classifier, labels: Tensor | None = None) -> Tensor:
        """∂L/∂x, (B, 3, H, W); L of ``labels`` (B, k), or of the labels predicted on this very ``x``."""
        differentiable = wants_gradient(x)
        with torch.enable_grad():
            photos = x if differentiable else x.detach().requires_grad_()
            scores = model(photos)
            total = self.of(scores, self.labels(scores) if labels is None else labels).sum()
            return torch.autograd.grad(total, photos, create_graph=differentiable)[0]


class Saliency(ABC):
    """Where a classifier looks, by one method; without any state, so that all may share one instance.

    ``uses_loss`` says whether the map follows a ``Loss``, else it is the same for all of them; ``is_random``
    whether another seed may give another map; ``empty`` why a map is 0 everywhere where it is, half a
    sentence.
    """

    uses_loss: ClassVar[bool] = True
    is_random: ClassVar[bool] = False
    empty: ClassVar[str] = "no pixel changes the loss"

    def applies(self, model: Classifier) -> bool:  # noqa: ARG002
        """Whether ``model`` has what it needs; where not, another method stands in and no page offers it."""
        return True

    @abstractmethod
    def formula(self, model: Classifier) -> str:
        """M for ``model`` in LaTeX, in terms of L where it uses a loss."""

    @abstractmethod
    def map(self, x: Tensor, model: Classifier, *, loss: Loss, seed: int) -> Tensor:
        """M of photos ``x`` (B, 3, H, W) in [0, 1]: (B, 1, H, W), >= 0, of any scale.

        Differentiable in ``x`` where ``x`` asks for it, else without a graph. It is remembered by whoever
        asks (``explain.saliency``).

        Args:
            x: the photos; left as they are.
            model: left as it is; hooks live inside a ``with``.
            loss: whose gradient is taken.
            seed: of the draws, which are the same for a photo alone and in a batch.
        """


def wants_gradient(x: Tensor) -> bool:
    """Whether what comes of ``x`` shall be differentiable in it."""
    return x.requires_grad and torch.is_grad_enabled()


def strongest(gradients: Tensor) -> Tensor:
    """The largest absolute value over the channels: (B, 3, H, W) -> (B, 1, H, W)."""
    return gradients.abs().amax(1, keepdim=True)
