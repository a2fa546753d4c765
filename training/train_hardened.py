"""Hardens a built-in classifier against small changes: ``python -m training.train_hardened --photos PHOTOS``.

Adversarial training (Madry et al. 2018) from the weights that are there: in each step the photos are
attacked by PGD with ``--eps``, and the network learns from the attacked ones alone. One step of PGD, 1.25 ε
long from a random start, is the fast training of Wong et al. 2020; more steps are 2.5 ε / steps long. The
network is in evaluation mode while it is attacked (Pang et al. 2021, "Bag of Tricks for Adversarial
Training").

All else as in ``training.train_classifier``: folders, checkpoint, log, options. At the end the weights and
the card of ``builtin-hardened`` are written into ``assets/``; the card tells clean accuracy, and accuracy
under PGD with 40 steps on the hardened network itself at the strengths of the denoisers.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from attacks.pgd import PGD
from classifiers import BUILTIN, read_card
from classifiers.base import Classifier
from classifiers.builtin import ASSETS, builtin_files, load_builtin
from classifiers.weights import read_state
from denoisers import STRENGTHS
from evaluation.measures.accuracy import predicted, share
from photos import open_source
from training.attacked_photos import AttackedPhotos, AttackRecipe, Pairs
from training.checkpoint import FOLDER, Checkpoint
from training.labelled_photos import decode_all, labels_of
from training.recipes import add_recipe_options, recipe_with, setting, training_parser
from training.train_classifier import Recipe, Training, measure, normalised, train, with_name, write_assets

NAME = "hardened"


@dataclass(frozen=True)
class HardenedRecipe(Recipe):
    """A short training from the weights of another built-in classifier, on attacked photos."""

    epochs: int = 8
    batch: int = 128
    side_at: tuple[float, ...] = (0.0, 0.7, 0.71, 1.0)
    sides: tuple[float, ...] = (128.0, 128.0, 160.0, 160.0)
    learning_rate: float = 0.004
    rate_at: tuple[float, ...] = (0.0, 0.04, 0.3, 1.0)
    rates: tuple[float, ...] = (0.0, 1.0, 1.0, 0.0)
    mixing: float = 0.0
    averaging: float = 0.99
    base: str = setting(BUILTIN, help="the built-in classifier whose weights it begins with")
    eps: float = setting(
        4 / 255, low=0, high=1, help="the most by which a pixel is changed in training, of full range"
    )
    attack_steps: int = setting(1, low=1, help="steps of PGD in training")

    @property
    def attack(self) -> PGD:
        """The attack of a step, but for its seed."""
        length = 1.25 * self.eps if self.attack_steps == 1 else 2.5 * self.eps / self.attack_steps
        return PGD(eps=self.eps, step=length, iterations=self.attack_steps)


class Seen(nn.Module):
    """A network as the attacker has it: photos (B, 3, H, W) in [0, 1] -> logits (B, labels)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        return self.network(normalised(x))


class Hardening(Training):
    """A training on attacked photos, which begins with the weights of ``recipe.base``."""

    recipe: HardenedRecipe

    def __init__(self, recipe: HardenedRecipe, labels: int, device: torch.device, assets: Path) -> None:
        super().__init__(recipe, labels, device)
        file = builtin_files(recipe.base, assets).weights
        self.network.load_state_dict(read_state(file, file.name))

    def step(self, photos: Tensor, wanted: Tensor, share: float, generator: torch.Generator) -> None:
        """One update on the attacked ``photos`` (B, 3, H, W); the rest as in ``Training.step``."""
        super().step(self.attacked(photos, wanted, generator), wanted, share, generator)

    def attacked(self, photos: Tensor, wanted: Tensor, generator: torch.Generator) -> Tensor:
        """``photos`` (B, 3, H, W) in [0, 1] led away from the likeliest label of ``wanted`` (B, labels)."""
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        self.network.eval()
        attack = replace(self.recipe.attack, seed=seed)
        attacked = attack.run(photos, wanted.argmax(1), Seen(self.network), frames=0).attacked
        self.network.train()
        return attacked


def recipe_of(base: str, assets: Path) -> dict[str, Any]:
    """The fields of a recipe that the network of ``base`` prescribes, from its card."""
    card = read_card(base, assets)
    tuples = {name: tuple(card[name]) for name in ("widths", "depths")}
    return {"base": base, "architecture": card["architecture"], **tuples, **card.get("options", {})}


def robust(model: Classifier, pairs: Pairs) -> dict[str, Any]:
    """Accuracy (%) of ``model`` by ε, 0 first."""
    pictures = [pairs.photos / 255, *(pairs.attacked(strength) for strength in range(len(STRENGTHS)))]
    right = [predicted(model, x.to(model.device)).cpu() == pairs.labels for x in pictures]
    return {
        "photos": len(pairs.labels),
        "strengths": [0.0, *STRENGTHS],
        "accuracy": [share(hits) for hits in right],
    }


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = training_parser(__doc__)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=FOLDER / f"{with_name('classifier', NAME)}.pt",
        help="continues from there, and is kept there",
    )
    parser.add_argument("--assets", type=Path, default=ASSETS, help="folder of the base")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder of the weights and the card")
    parser.add_argument("--robust-photos", type=int, default=192, help="how many are attacked for the card")
    parser.add_argument("--robust-iterations", type=int, default=40, help="steps of PGD for the card")
    add_recipe_options(parser, HardenedRecipe())
    given = vars(parser.parse_args(arguments))
    base = given["base"] or HardenedRecipe.base
    recipe = recipe_with(replace(HardenedRecipe(), **recipe_of(base, given["assets"])), given)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    before = load_builtin(base, device=device, assets=given["assets"])
    learned, apart = (open_source(str(given["photos"] / part)) for part in ("train", "val"))
    labels = labels_of(learned)
    if before.labels != labels:
        raise ValueError(f"{before.name} knows other labels than {given['photos']}")
    training = Hardening(recipe, len(labels), device, given["assets"])
    checkpoint = Checkpoint(given["checkpoint"], {"recipe": asdict(recipe)})
    checkpoint.resume(training, device)
    train(training, decode_all(learned), torch.tensor(learned.labels), None, checkpoint)
    accuracy = measure(training.descent.average, apart, labels, device)
    provenance = (
        f"Begun with the weights of {before.identity}, hardened by training/train_hardened.py (adversarial "
        f"training, L∞, ε = {255 * recipe.eps:g}/255) on the same photos; measured on photos kept apart."
    )
    write_assets(training, NAME, labels, accuracy, given["out"], provenance)
    model = load_builtin(with_name(BUILTIN, NAME), device=device, assets=given["out"])
    attacks = AttackRecipe(iterations=given["robust_iterations"])
    attacked = AttackedPhotos(checkpoint.file.parent, attacks, model, apart)
    accuracy["robust"] = robust(model, attacked.pairs(given["robust_photos"]))
    accuracy["robust"]["attack"] = f"PGD, L∞, {attacks.iterations} steps of ε / 30, on this network"
    write_assets(training, NAME, labels, accuracy, given["out"], provenance)
    print(json.dumps({name: accuracy[name] for name in ("photos", "side", "by_side", "robust")}))


if __name__ == "__main__":
    main()
