"""What an attacker knows of a defense: the model that he takes gradients of.

The defense itself is the same for all of them, and so is the forward pass of those who know it. They differ
in how the gradient comes back through it, and in how many of a random defense's draws it is averaged over.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from classifiers.base import Classifier
from defenses.base import Defended, Defense
from explain import forgetting
from ops.straight_through import straight_through
from story import Parametrised, param

_DRAWS = "how many draws of a random defense a gradient is averaged over; 1 is the defense's own draw"
_MOST_DRAWS = 100


class Known(Defended):
    """A defended classifier, as an attacker sees it who knows the defense.

    Nothing of it is remembered: each iterate of an attack is seen but once.

    Attributes:
        draws: answers that an attack averages a gradient over. With more than one, each pass draws anew, in
            an order that the defense's seed fixes.
    """

    def __init__(self, defense: Defense, model: Classifier, *, identity: bool, draws: int) -> None:
        """``identity``: the gradient comes back as if T(x) = x."""
        super().__init__(defense, model)
        self.identity = identity
        self.draws = draws if defense.is_random(model) else 1
        self._generator = torch.Generator().manual_seed(defense.random_seed)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, labels) logits of the defended photos."""
        defense = self.defense if self.draws == 1 else self.defense.redrawn(self._next_seed())
        with forgetting():
            if not self.identity:
                return self.model(defense(x, self.model))
            with torch.no_grad():
                result = defense(x, self.model)
            return self.model(straight_through(result, x))

    def _next_seed(self) -> int:
        seed = self.defense.parameter(self.defense.seed_name)
        assert seed.low is not None and seed.high is not None
        return int(torch.randint(int(seed.low), int(seed.high) + 1, (), generator=self._generator))


class Threat(Parametrised):
    """What is known of the defense; a frozen dataclass like every method."""

    knows: ClassVar[bool] = True
    """Whether the attack goes through the defense."""

    @abstractmethod
    def attacked(self, defense: Defense, model: Classifier) -> nn.Module:
        """What is attacked: (B, 3, H, W) in [0, 1] -> (B, labels) logits."""

    @abstractmethod
    def words(self, defense: Defense, model: Classifier) -> str:
        """One sentence: which gradient is used, and why."""


@dataclass(frozen=True)
class Oblivious(Threat):
    """The attacker does not know that there is a defense.

    Source: the threat of all the papers' main tables.
    """

    title: ClassVar[str] = "Oblivious"
    source: ClassVar[str] = "You-Wei and Sheng-De 2022, section 4"
    knows: ClassVar[bool] = False

    def attacked(self, defense: Defense, model: Classifier) -> nn.Module:  # noqa: ARG002
        """The classifier alone."""
        return model

    def words(self, defense: Defense, model: Classifier) -> str:  # noqa: ARG002
        """The classifier's gradient."""
        return "The attacker does not know of the defense: the gradient is the classifier's own."


@dataclass(frozen=True)
class BPDA(Threat):
    """Forwards through the defense as it is, backwards as if T(x) = x.

    Source: Athalye et al. 2018, "Obfuscated Gradients Give a False Sense of Security", section 4.1.
    """

    title: ClassVar[str] = "BPDA"
    source: ClassVar[str] = "Athalye, Carlini and Wagner 2018"

    draws: int = param(1, low=1, high=_MOST_DRAWS, step=1, unit="per gradient", help=_DRAWS)

    def attacked(self, defense: Defense, model: Classifier) -> nn.Module:
        """The defended classifier, straight through the defense."""
        return Known(defense, model, identity=True, draws=self.draws)

    def words(self, defense: Defense, model: Classifier) -> str:
        """The identity's gradient."""
        return (
            "Forwards through the defense, backwards as if it were not there (T(x) = x), which works where "
            f"its own gradient is useless{_averaged(self.draws, defense, model)}."
        )


@dataclass(frozen=True)
class EoT(Threat):
    """The gradient of the mean loss over draws of a random defense, by autograd.

    For a defense that draws nothing, or with one draw, it is ``Exact``.

    Source: Athalye et al. 2018, "Synthesizing Robust Adversarial Examples".
    """

    title: ClassVar[str] = "EoT"
    source: ClassVar[str] = "Athalye, Engstrom, Ilyas and Kwok 2018"

    draws: int = param(10, low=1, high=_MOST_DRAWS, step=1, unit="per gradient", help=_DRAWS)

    def attacked(self, defense: Defense, model: Classifier) -> nn.Module:
        """The defended classifier, asked several times."""
        return Known(defense, model, identity=False, draws=self.draws)

    def words(self, defense: Defense, model: Classifier) -> str:
        """The mean gradient, where there is something to average over."""
        if not defense.is_random(model):
            return (
                "This defense draws nothing at random, so one draw is all there is: the same gradient as "
                f"exact, autograd through the defense as written ({defense.gradient})."
            )
        return (
            f"Autograd through the defense ({defense.gradient}), because no attacker knows the draws "
            f"that will be made{_averaged(self.draws, defense, model)}."
        )


@dataclass(frozen=True)
class Exact(Threat):
    """Autograd through the defense as written; of a random defense the very draw is known.

    Source: Carlini and Wagner 2017, "Adversarial Examples Are Not Easily Detected" (the attack goes through
    all that there is).
    """

    title: ClassVar[str] = "Exact"
    source: ClassVar[str] = "Carlini and Wagner 2017"

    def attacked(self, defense: Defense, model: Classifier) -> nn.Module:
        """The defended classifier."""
        return Known(defense, model, identity=False, draws=1)

    def words(self, defense: Defense, model: Classifier) -> str:
        """The defense's own gradient, which says itself what it is."""
        draws = ", and its very draws are known" if defense.is_random(model) else ""
        return f"Autograd through the defense as written ({defense.gradient}), as nothing is secret{draws}."


def _averaged(draws: int, defense: Defense, model: Classifier) -> str:
    """The end of a sentence; empty where there is nothing to average over."""
    if not defense.is_random(model):
        return ""
    return f"; averaged over {draws} fresh draws for each step" if draws > 1 else "; its very draws are known"


THREATS: dict[str, type[Threat]] = {"oblivious": Oblivious, "bpda": BPDA, "eot": EoT, "exact": Exact}
"""By the name that every door uses, the default first."""
