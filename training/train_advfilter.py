"""Trains the AdvFilter denoisers: ``python -m training.train_advfilter --photos PHOTOS --hours 2``.

``PHOTOS/train/<label>/*.jpg`` to learn from and ``PHOTOS/val/<label>/*.jpg`` to measure on. First photos are
attacked by PGD at the 12 strengths, once for all variants; then one variant after the other learns, and its
weights (half precision) and card are written into ``assets/advfilter/``. May be killed at any moment: started
again it goes on, at most ``SAVE`` seconds back.

``--schedule`` names a recipe, by default "full" with a GPU and "short" without one; every part of it is an
option too. ``--hours`` bounds the whole command: 30 % for attacks on the photos to learn from, 10 % for
those on the photos to measure on, the rest in equal parts for what is learned, the Y-Net and its fusion
counting one each. A schedule that does not fit is cut short, its learning rate falling with the time; the
card says so.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

import classifiers
from classifiers.base import Classifier
from classifiers.weights import sha256
from denoisers import (
    STRENGTHS,
    VARIANTS,
    Denoiser,
    DenoiserConfig,
    DenoiserError,
    fused,
    installed,
    load,
    read_card,
)
from denoisers.config import KERNELS, SMALL_WIDTHS
from denoisers.denoise import denoised_and_maps
from denoisers.losses import at_equal_say, fusion_loss, image_loss, semantic_features, semantic_loss
from denoisers.weights import FOLDER as DENOISERS
from evaluation.measures.quality import Quality, joined, quality
from evaluation.one_photo.advfilter import ALL
from ops.coding import from_bytes
from photos import open_source
from training.assets import PHOTOS, halved, write_weights
from training.attacked_photos import AttackedPhotos, AttackRecipe, Pairs, put_together
from training.checkpoint import FOLDER, Checkpoint
from training.descent import Descent
from training.health import Activity, UnhealthyError
from training.recipes import Described, add_recipe_options, recipe_with, setting, training_parser

SAVE = 120.0
"""Seconds after which the checkpoint is replaced, or after the step that is then at work."""
LOG = 100
"""Steps between two lines of the log."""
ATTACKS, MEASURED = 0.3, 0.1
"""Shares of the hours for the attacks on the photos to learn from, and on those to measure on."""
EXPLODED = 10.0
"""Times the loss of the first ``LOG`` steps at which a training has exploded."""
STARTS = {"add-sem": ("add-img",), "filt-sem": ("filt-img",), "pa-filt": ("filt-img", "filt-strong")}
"""Variant -> those whose networks it begins with, one for each of its heads.

L_sem from random weights soon finds that an empty photo is better than a strongly attacked one, and stays
there. A Y-Net whose decoders share nothing is two networks that were trained by themselves; its fusion alone
is left to learn.
"""
RATE_AT, RATES = (0.0, 0.02, 0.5, 1.0), (0.0, 1.0, 1.0, 0.0)
PROVENANCE = (
    f"Trained from {{}} by training/train_advfilter.py on {PHOTOS}, attacked by PGD; measured on photos kept "
    "apart."
)


@dataclass(frozen=True)
class Recipe(Described):
    """Everything but the variant that shapes the weights; written into the card."""

    attacked: int = setting(5000, low=1, help="photos that are attacked to learn from")
    each: int = setting(
        len(STRENGTHS),
        low=1,
        high=len(STRENGTHS),
        help="strengths at which each of them is attacked; a divisor of their number",
    )
    iterations: int = setting(40, low=1, help="steps of PGD")
    crop: int = setting(
        160,
        low=1,
        unit="px",
        help="side of the part of a photo that a step of L_img sees; L_sem and the fusion see all of it",
    )
    batch: int = setting(32, low=1, help="pairs of a clean and an attacked photo in a step")
    steps: int = setting(60_000, low=1, help="steps of the denoiser")
    fusion_steps: int = setting(6000, low=1, help="steps of the fusion")
    learning_rate: float = setting(
        0.002, low=0, help="highest rate of the convolutions; 0.3 of it for the rest"
    )
    weight_decay: float = setting(
        1.0, low=0, help="share by which a step of rate 1 shrinks the denoiser's convolutions"
    )
    fusion_learning_rate: float = setting(0.01, low=0, help="the same of the fusion, which does not shrink")
    averaging: float = setting(
        0.999, low=0, high=1, help="share of the running average of the weights that a step keeps"
    )
    half: bool = setting(False, help="whether convolutions behind the first block are computed in bfloat16")
    widths: tuple[int, ...] = setting(SMALL_WIDTHS, low=1, help="channels of the encoder's blocks")
    kernels: str = setting("residual", choices=KERNELS, help="what a head's numbers are to a kernel")
    own_encoders: bool = setting(True, help="whether both decoders of PA-Filt have encoders of their own")
    equal_say: float = setting(
        0.0,
        low=0,
        high=1,
        help="power of ε by which L_img is divided; 0 as in the paper, 1 gives every strength the same say",
    )
    clean: float = setting(
        1 / (1 + len(STRENGTHS)),
        low=0,
        high=1,
        help="share of clean photos among what the fusion learns from",
    )
    # The attacks of medium strength, where one photo is far better, drive W to an end before it has learned
    # to tell them from the others, and there it has no gradient any more.
    settle: float = setting(
        0.001,
        low=0,
        help="share of the mean square of W's logit in the fusion's loss: a half where neither is better",
    )
    measured: int = setting(480, low=1, help="photos of val/ that are measured for the card")
    measured_iterations: int = setting(40, low=1, help="steps of PGD on them")
    seed: int = setting(0, low=0, help="number that fixes all that is drawn")
    start: bool = setting(
        True,
        help="whether what learns by L_sem begins with the weights that learned by L_img, and PA-Filt with "
        "those of Filt(L_img) and Filt*",
    )


RECIPES = {
    "full": Recipe(),
    "short": Recipe(
        attacked=480,
        each=4,
        iterations=10,
        crop=64,
        batch=8,
        steps=1200,
        fusion_steps=450,
        averaging=0.99,
        measured=48,
    ),
}


def rate(share: float) -> float:
    """Learning rate after ``share`` of a phase, as a share of the highest."""
    return float(np.interp(share, RATE_AT, RATES))


def config_of(variant: str, recipe: Recipe) -> DenoiserConfig:
    """The variant's configuration in the recipe's size and manner."""
    config = VARIANTS[variant]
    return replace(
        config,
        widths=recipe.widths,
        kernels=recipe.kernels,
        encoders=config.encoders and recipe.own_encoders,
    )


def begins_with(variant: str, recipe: Recipe) -> tuple[str, ...]:
    """The variants whose weights a training begins with; none where it begins with random ones."""
    shared = VARIANTS[variant].decoders and not recipe.own_encoders
    return STARTS.get(variant, ()) if recipe.start and not shared else ()


def phases_of(variant: str, recipe: Recipe) -> tuple[int, ...]:
    """The phases that a training goes through."""
    if not VARIANTS[variant].fusion:
        return (0,)
    return (1,) if begins_with(variant, recipe) else (0, 1)


class Training:
    """One variant on its way: a network that learns, the phase, and the phase's steps and seconds.

    ``folder`` has the weights that it begins with, by default those that ship; ValueError if they are missing
    or belong to other networks.

    Phase 0 trains everything but the fusion. Where there is a fusion, phase 1 trains it alone, behind the
    average of the first; if both of its photos come from networks that are trained already, that is all.
    """

    def __init__(
        self,
        variant: str,
        recipe: Recipe,
        key: dict[str, Any],
        model: Classifier,
        folder: Path | None = None,
    ) -> None:
        self.variant, self.recipe, self.model = variant, recipe, model
        self.config = config_of(variant, recipe)
        self.begins_with = begins_with(variant, recipe)
        self.plan = phases_of(variant, recipe)
        self.owner = {"variant": variant, "recipe": asdict(recipe), "attacks": json.dumps(key)}
        torch.manual_seed(recipe.seed)
        self.network = Denoiser(self.config).to(model.device)
        self._take_over(folder)
        self.spent = [0.0, 0.0]
        self.taken = [0, 0]
        self.first_loss = 0.0
        self._begin(self.plan[0])

    def _take_over(self, folder: Path | None) -> None:
        """The weights of the networks that it begins with, a head from each."""
        for number, name in enumerate(self.begins_with):
            try:
                started = load(name, device=self.model.device, folder=folder)
            except DenoiserError as error:
                raise ValueError(
                    f"{self.variant} begins with {name}'s weights; train that first, or --no-start: {error}"
                ) from None
            for part in ("encoders", "decoders", "heads"):
                mine, theirs = (getattr(network, part) for network in (self.network, started))
                try:
                    mine[number].load_state_dict(theirs[0].state_dict())
                except RuntimeError:
                    raise ValueError(f"{self.variant} cannot begin with {name}: other networks") from None

    def _begin(self, phase: int) -> None:
        self.phase, self.steps, self.seconds, self.first_loss = phase, 0, 0.0, 0.0
        network = self.network
        if phase == 0:
            learns: nn.Module = nn.ModuleList([network.encoders, network.decoders, network.heads])
        else:
            assert network.fusion is not None
            learns = network.fusion
        network.requires_grad_(False)
        learns.requires_grad_(True)
        self.learns = learns
        recipe = self.recipe
        most, decay = (
            (recipe.fusion_learning_rate, 0.0) if phase else (recipe.learning_rate, recipe.weight_decay)
        )
        self.descent = Descent(network, most, decay, recipe.averaging, learns)

    @property
    def planned(self) -> int:
        """Steps of the phase."""
        return self.recipe.fusion_steps if self.phase else self.recipe.steps

    @property
    def whole(self) -> bool:
        """Whether a step sees whole photos: where the classifier looks at them."""
        return self.phase == 1 or self.config.loss == "sem"

    @property
    def full(self) -> bool:
        """Whether every phase has taken all of its steps."""
        wanted = [self.recipe.steps, self.recipe.fusion_steps]
        return all(self.taken[phase] == wanted[phase] for phase in self.plan)

    def share(self, seconds: float) -> float:
        """How much of the phase is over, 0 to 1, if it may take so many ``seconds``."""
        return min(1.0, max(self.steps / self.planned, self.seconds / seconds))

    def advance(self) -> bool:
        """Ends the phase; whether another one follows."""
        self.taken[self.phase], self.spent[self.phase] = self.steps, self.seconds
        self.network.load_state_dict(self.descent.average.state_dict())
        if self.phase == self.plan[-1]:
            return False
        self._begin(self.phase + 1)
        return True

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {
            "phase": self.phase,
            "steps": self.steps,
            "seconds": self.seconds,
            "taken": self.taken,
            "spent": self.spent,
            "first loss": self.first_loss,
            **self.descent.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Goes on where ``state`` was taken."""
        self._begin(state["phase"])
        self.steps, self.seconds = state["steps"], state["seconds"]
        self.taken, self.spent, self.first_loss = state["taken"], state["spent"], state["first loss"]
        self.descent.load(state)

    def losses(self, clean: Tensor, attacked: Tensor, eps: Tensor) -> Tensor:
        """What a step lowers: the sum over the heads of their mean loss on the pairs that are theirs.

        Args:
            clean: (B, 3, H, W) in [0, 1].
            attacked: the same photos attacked.
            eps: (B,) strengths.
        """
        if self.phase == 1:
            return self._fusion_losses(clean, attacked)
        features = semantic_features(clean, self.model) if self.config.loss == "sem" else None
        total = torch.zeros((), device=clean.device)
        for photos, strengths in zip(self.network(attacked), self.config.heads, strict=True):
            theirs = torch.isin(eps, torch.tensor(strengths, device=eps.device))
            if features is None:
                losses = at_equal_say(image_loss(photos, clean), eps, self.recipe.equal_say)
            else:
                losses = semantic_loss(photos, features, self.model)
            total = total + (losses * theirs).sum() / theirs.sum().clamp(min=1)
        return total

    def _fusion_losses(self, clean: Tensor, attacked: Tensor) -> Tensor:
        with torch.no_grad():
            opinion = self.model(clean).softmax(1)
            photos, uncertainties = self.network.denoised(attacked)
            first, second = (photo.clamp(0, 1) for photo in photos)
        fusion = self.network.fusion
        assert fusion is not None
        logits = fusion.logits(torch.cat(uncertainties, 1))
        losses = fusion_loss(fused(first, second, fusion.sigmoid(logits)), opinion, self.model)
        return losses.mean() + self.recipe.settle * logits.square().mean()

    def step(self, clean: Tensor, attacked: Tensor, eps: Tensor, share: float) -> dict[str, float]:
        """One update after ``share`` of the phase; its loss and the norm of its gradient.

        Every ``LOG`` steps also the least share of a ReLU's channels that are over 0, the largest number, and
        in phase 1 the mean of W.

        Raises:
            UnhealthyError: the loss is no number, a ReLU has died, or W is saturated.
        """
        if self.phase == 1 and self.steps == 0:
            self._standardise(clean)
        log = (self.steps + 1) % LOG == 0
        with ExitStack() as contexts:
            contexts.enter_context(
                torch.autocast(clean.device.type, torch.bfloat16, enabled=self.recipe.half)
            )
            activity = contexts.enter_context(Activity()) if log else None
            loss = self.losses(clean, attacked, eps)
        noted = {"loss": loss.item()}
        if not math.isfinite(noted["loss"]):
            raise UnhealthyError(f"{self.variant}: in step {self.steps + 1} the loss is no number any more.")
        self.descent.update(loss, rate(share))
        norms = [weight.grad.norm() for weight in self.learns.parameters() if weight.grad is not None]
        noted["gradient"] = torch.stack(norms).norm().item()
        self.steps += 1
        if activity is not None:
            activity.check(f"{self.variant}, step {self.steps}")
            noted |= {"alive": min(activity.alive), "largest": activity.largest}
            if activity.means:
                noted["weight"] = activity.means[0]
        return noted

    def check_loss(self, loss: float) -> None:
        """Nothing, if the mean ``loss`` of the last ``LOG`` steps is near that of the first ones or below.

        Raises:
            UnhealthyError: it has exploded.
        """
        self.first_loss = self.first_loss or loss
        if loss > EXPLODED * self.first_loss:
            raise UnhealthyError(
                f"{self.variant}: the loss has exploded from {self.first_loss:.3g} to {loss:.3g} by step "
                f"{self.steps}; lower the learning rate."
            )

    @torch.no_grad()
    def _standardise(self, clean: Tensor) -> None:
        """Fits what the fusion's inputs are standardised by, in the network and in its average."""
        for network in (self.network, self.descent.average):
            assert isinstance(network, Denoiser)
            assert network.fusion is not None
            unsure = network.denoised(clean)[1]
            network.fusion.standardise(torch.cat(unsure, 1))


def drawn(training: Training, pairs: Pairs, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of a step as ``Pairs.at`` gives them, cropped and mirrored; its number alone decides on them."""
    recipe = training.recipe
    generator = torch.Generator().manual_seed((2 * recipe.seed + training.phase + 1) * 10**8 + step)
    wanted = torch.tensor([STRENGTHS.index(strength) for strength in training.config.strengths])
    theirs = torch.isin(pairs.strengths, wanted).nonzero().flatten()
    numbers = theirs[torch.randint(len(theirs), (recipe.batch,), generator=generator)].tolist()
    clean, changes, eps = pairs.at(numbers)
    if training.phase == 1:
        unattacked = torch.rand(recipe.batch, generator=generator) < recipe.clean
        changes[unattacked], eps[unattacked] = 0, 0.0
    top, left, mirror = torch.rand(3, generator=generator).tolist()
    side = clean.shape[-1] if training.whole else min(recipe.crop, clean.shape[-1])
    room = clean.shape[-1] - side + 1
    rows, columns = (slice(int(at * room), int(at * room) + side) for at in (top, left))
    parts = [photos[..., rows, columns] for photos in (clean, changes)]
    if mirror < 0.5:
        parts = [part.flip(-1) for part in parts]
    return parts[0], parts[1], eps


def train(training: Training, pairs: Pairs, checkpoint: Checkpoint, seconds: float = math.inf) -> None:
    """All that is left of the phase, which may take so many ``seconds`` in all.

    A thread prepares the next step while one runs.
    """
    device = training.model.device
    notes: list[dict[str, float]] = []
    began = time.monotonic()
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(drawn, training, pairs, training.steps)
        while (share := training.share(seconds)) < 1:
            clean, changes, eps = (part.to(device) for part in coming.result())
            coming = ahead.submit(drawn, training, pairs, training.steps + 1)
            notes.append(training.step(from_bytes(clean), put_together(clean, changes, eps), eps, share))
            now = time.monotonic()
            training.seconds += now - began
            began = now
            if training.steps % LOG == 0:
                at = {"variant": training.variant, "phase": training.phase, "step": training.steps}
                training.check_loss(sum(note["loss"] for note in notes) / len(notes))
                means = {
                    name: sum(note[name] for note in notes) / len(notes) for name in ("loss", "gradient")
                }
                line = at | {name: round(value, 5) for name, value in (notes[-1] | means).items()}
                print(json.dumps(line | {"seconds": round(training.seconds)}), flush=True)
                notes.clear()
            if checkpoint.age >= SAVE:
                checkpoint.save(training.state())


def measured(network: Denoiser, pairs: Pairs, model: Classifier) -> dict[str, Any]:
    """Accuracy (%), PSNR (dB) and SSIM by ε, 0 first: of the attacked and of the denoised photos.

    Where two photos are fused, also the means of the maps by which they are: "maps" -> name -> by ε.
    """
    figures: dict[str, dict[str, list[float]]] = {}
    maps: dict[str, list[float]] = {}
    clean = pairs.photos
    for strength in range(-1, len(STRENGTHS)):
        attacked = from_bytes(clean) if strength < 0 else pairs.attacked(strength)
        by_name, means = judged_denoised(network, attacked, clean, pairs.labels, model)
        for name, judged in by_name.items():
            for figure, value in judged.means.items():
                figures.setdefault(name, {}).setdefault(figure, []).append(value)
        for name, mean in means.items():
            maps.setdefault(name, []).append(round(mean, 4))
    return {
        "photos": len(clean),
        "strengths": [*ALL],
        **figures,
        **({"maps": maps} if maps else {}),
    }


@torch.no_grad()
def judged_denoised(
    network: Denoiser, attacked: Tensor, clean: Tensor, labels: Tensor, model: Classifier, batch: int = 16
) -> tuple[dict[str, Quality], dict[str, float]]:
    """Figures of ``attacked`` photos (N, 3, S, S) in [0, 1], and of what ``network`` makes of them, by name.

    ``clean`` are (N, 3, S, S) uint8 and ``labels`` (N,). Beside them the means of the maps by which photos
    are fused, by name.
    """
    by_name: dict[str, list[Quality]] = {}
    maps_by_name: dict[str, list[Tensor]] = {}
    for photos, before, truth in zip(*(part.split(batch) for part in (attacked, clean, labels)), strict=True):
        x = photos.to(model.device)
        pictures, maps = denoised_and_maps(network, x)
        for name, seen in {"attacked": x, **pictures}.items():
            judged = quality(seen, from_bytes(before.to(model.device)), truth, model)
            by_name.setdefault(name, []).append(judged)
        for name, one in maps.items():
            maps_by_name.setdefault(name, []).append(one.mean((1, 2, 3)).cpu())
    qualities = {name: joined(parts) for name, parts in by_name.items()}
    return qualities, {name: torch.cat(parts).mean().item() for name, parts in maps_by_name.items()}


def write_assets(training: Training, schedule: str, pairs: Pairs, val: Pairs, folder: Path) -> dict[str, Any]:
    """``VARIANT.safetensors`` (half precision) and ``VARIANT.json``, the card, which is returned.

    A card that tells of the same weights and of as many photos stays, so that nothing is measured twice.
    """
    network = training.network.requires_grad_(False)
    kept = halved(network.state_dict())
    network.load_state_dict(kept)
    weights = safetensors.torch.save(kept)
    digest = sha256(weights)
    if training.variant in installed(folder):
        earlier = read_card(training.variant, folder)
        if (earlier["sha256"], earlier["val"]["photos"]) == (digest, len(val.labels)):
            return earlier
    card = {
        "name": training.variant,
        "network": asdict(training.config),
        "classifier": training.model.identity,
        "side": training.model.working_size,
        "sha256": digest,
        "recipe": asdict(training.recipe),
        "schedule": {
            "name": schedule,
            "cut short": not training.full,
            "steps": [training.taken[phase] for phase in training.plan],
            "seconds": [round(training.spent[phase]) for phase in training.plan],
            "device": training.model.device.type,
            "photos": len(pairs.labels),
            "pairs": len(pairs),
        },
        "val": measured(network, val, training.model),
        "provenance": PROVENANCE.format(
            f"the weights of {' and '.join(training.begins_with)}"
            if training.begins_with
            else "random weights"
        ),
    }
    write_weights(folder, training.variant, weights, card)
    return card


def allotted(variants: list[str], recipe: Recipe, hours: float) -> Iterator[tuple[str, float]]:
    """Each variant with the seconds that one of its phases may take."""
    phases = sum(len(phases_of(variant, recipe)) for variant in variants)
    for variant in variants:
        yield variant, 3600 * hours * (1 - ATTACKS - MEASURED) / phases


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = training_parser(__doc__)
    parser.add_argument(
        "--variant", choices=tuple(VARIANTS), nargs="+", default=list(VARIANTS), help="by default all"
    )
    parser.add_argument("--hours", type=float, default=math.inf, help="for all of it; by default no bound")
    parser.add_argument(
        "--schedule", choices=tuple(RECIPES), help="recipe: by default full with a GPU, short without one"
    )
    parser.add_argument("--classifier", default="builtin-vgg", help="that is attacked")
    parser.add_argument("--device", help="cpu or cuda; by default the best there is")
    parser.add_argument(
        "--checkpoints", type=Path, default=FOLDER, help="continues from there, and is kept there"
    )
    parser.add_argument("--out", type=Path, default=DENOISERS, help="folder of the weights and the cards")
    add_recipe_options(parser, Recipe(), RECIPES)
    given = vars(parser.parse_args(arguments))
    model = classifiers.load(given["classifier"], device=given["device"])
    schedule = given["schedule"] or ("full" if model.device.type == "cuda" else "short")
    recipe = recipe_with(RECIPES[schedule], given)
    seconds = 3600 * given["hours"]
    attacks = AttackRecipe(recipe.each, recipe.iterations, recipe.seed)
    learned, apart = (open_source(str(given["photos"] / part)) for part in ("train", "val"))
    learned_attacked = AttackedPhotos(given["checkpoints"], attacks, model, learned)
    apart_attacked = AttackedPhotos(
        given["checkpoints"], AttackRecipe(iterations=recipe.measured_iterations), model, apart
    )
    pairs = learned_attacked.pairs(recipe.attacked, ATTACKS * seconds)
    val = apart_attacked.pairs(recipe.measured, MEASURED * seconds)
    for variant, allowed in allotted(given["variant"], recipe, given["hours"]):
        training = Training(variant, recipe, learned_attacked.key, model, given["out"])
        file = given["checkpoints"] / f"advfilter-{variant}.pt"
        checkpoint = Checkpoint(file, training.owner, "--checkpoints")
        checkpoint.resume(training, model.device)
        going_on = True
        while going_on:
            train(training, pairs, checkpoint, allowed)
            checkpoint.save(training.state())
            going_on = training.advance()
        card = write_assets(training, schedule, pairs, val, given["out"])
        print(json.dumps({"name": variant, "schedule": card["schedule"], "val": card["val"]}), flush=True)


if __name__ == "__main__":
    main()
