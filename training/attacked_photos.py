"""Photos attacked by PGD at many strengths, made once and kept on the disk, block by block.

A change is kept as a share of its ε in 8 bits, x' = clip(x + ε d / 127): ε = 0.0001 would not survive in a
picture's own 8 bits, and rounding d moves no pixel by more than ε / 254. For the same reason the attacked
network computes in float32: in bfloat16 it would not see the weak attacks. A block is written in one go, so
that a killed command goes on behind the last whole one.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from attacks.pgd import PGD
from classifiers.base import Classifier
from denoisers import STRENGTHS
from ops.coding import from_bytes
from photos import Source
from training.labelled_photos import centre_crops
from training.recipes import Described, setting

BLOCK = 48
"""Photos that are attacked and kept together."""
LEVELS = 127


@dataclass(frozen=True)
class AttackRecipe(Described):
    """How photos are attacked.

    Raises:
        ValueError: a value outside its range, or ``each`` is no divisor of the number of strengths.
    """

    each: int = setting(
        len(STRENGTHS),
        low=1,
        high=len(STRENGTHS),
        help="strengths at which each photo is attacked, evenly spread over all; a divisor of their number",
    )
    iterations: int = setting(
        40,
        low=1,
        help="steps of PGD from a random start, together 4/3 ε long: 40 are ε / 30 each, as in Foolbox",
    )
    seed: int = setting(0, low=0, help="number that fixes the photos' order and the random starts")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(STRENGTHS) % self.each:
            raise ValueError(f"each is a divisor of {len(STRENGTHS)}, not {self.each}")

    def strengths_of(self, photo: int) -> range:
        """Which of ``STRENGTHS`` the photo of that number gets; as many photos have each of them."""
        every = len(STRENGTHS) // self.each
        return range(photo % every, len(STRENGTHS), every)


class AttackedPhotos:
    """The blocks of one recipe on one classifier and one list of photos; made where they are missing.

    Args:
        cache: folder of all of them; each has one of its own in it.
        recipe: how photos are attacked.
        model: what is attacked, at its working size.
        source: photos, with the labels that the attack leaves; photos whose label ``model`` does not know are
            left out.

    Attributes:
        numbers: of the photos in ``source``, in the order in which they are attacked.
    """

    def __init__(self, cache: Path, recipe: AttackRecipe, model: Classifier, source: Source) -> None:
        usable = [number for number in range(len(source)) if source.label(number) in model.labels]
        order = torch.randperm(len(usable), generator=torch.Generator().manual_seed(recipe.seed)).tolist()
        self.numbers = [usable[row] for row in order]
        self.labels = torch.tensor([model.labels.index(source.label(number)) for number in self.numbers])
        self.source = source
        self.recipe = recipe
        self.model = model
        listed = hashlib.sha256("\n".join(source.files).encode())
        self.key = {
            "classifier": model.identity,
            "side": model.working_size,
            "strengths": STRENGTHS,
            "files": listed.hexdigest(),
            **asdict(recipe),
        }
        digest = hashlib.sha256(json.dumps(self.key).encode()).hexdigest()
        self.folder = cache / f"attacked-{digest[:16]}"

    def pairs(self, photos: int, seconds: float = math.inf) -> Pairs:
        """The first ``photos`` of them, or all that there are, rounded up to whole blocks.

        Args:
            photos: how many.
            seconds: no block is begun once all blocks together have taken so long; the first always is.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        blocks: list[Path] = []
        spent = 0.0
        for number in range(-(-min(photos, len(self.numbers)) // BLOCK)):
            file = self.folder / f"{number:05d}.safetensors"
            if not file.exists():
                if blocks and spent >= seconds:
                    break
                self._make(number, file)
            with safetensors.safe_open(file, "pt") as opened:
                spent += float(opened.metadata()["seconds"])
            blocks.append(file)
        return Pairs(blocks)

    def _make(self, number: int, file: Path) -> None:
        began = time.monotonic()
        block = slice(number * BLOCK, (number + 1) * BLOCK)
        photos = centre_crops(
            self.source, self.model.working_size, self.model.crop_share, self.numbers[block]
        )
        labels = self.labels[block]
        owners: list[int] = []
        strengths: list[int] = []
        changes: list[Tensor] = []
        for strength, eps in enumerate(STRENGTHS):
            own = [
                row
                for row in range(len(photos))
                if strength in self.recipe.strengths_of(number * BLOCK + row)
            ]
            if not own:
                continue
            seed = (self.recipe.seed * 10**6 + number) * len(STRENGTHS) + strength
            iterations = self.recipe.iterations
            step = eps * min(1.0, 4 / (3 * iterations))
            attack = PGD(eps=eps, step=step, iterations=iterations, seed=seed % 2**31)
            x = from_bytes(photos[own].to(self.model.device))
            attacked = attack.run(x, labels[own], self.model, frames=0).attacked
            changes.append(
                ((attacked - x) / eps * LEVELS).round().clamp(-LEVELS, LEVELS).to("cpu", torch.int8)
            )
            owners += own
            strengths += [strength] * len(own)
        tensors = {
            "photos": photos,
            "labels": labels,
            "owners": torch.tensor(owners),
            "strengths": torch.tensor(strengths),
            "changes": torch.cat(changes),
        }
        seconds = time.monotonic() - began
        part = file.with_suffix(".part")
        safetensors.torch.save_file(tensors, part, {"seconds": str(seconds)})
        part.replace(file)
        line = {"block": number, "pairs": len(owners), "seconds": round(seconds, 1)}
        print(json.dumps(line), flush=True)


class Pairs:
    """Clean photos beside attacked ones, read from the disk when they are asked for.

    Attributes:
        strengths: (P,) of each pair, its number in ``STRENGTHS``.
        labels: (N,) of each photo.
    """

    def __init__(self, blocks: list[Path]) -> None:
        self._blocks = [safetensors.torch.load_file(file) for file in blocks]
        self.labels = torch.cat([block["labels"] for block in self._blocks])
        self.strengths = torch.cat([block["strengths"] for block in self._blocks])
        self._where = [
            (number, row)
            for number, block in enumerate(self._blocks)
            for row in range(len(block["strengths"]))
        ]

    def __len__(self) -> int:
        return len(self._where)

    @property
    def photos(self) -> Tensor:
        """(N, 3, S, S) uint8, clean."""
        return torch.cat([block["photos"] for block in self._blocks])

    def at(self, numbers: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        """Pairs by their numbers: clean photos (B, 3, S, S) uint8, changes int8 of that shape, ε (B,)."""
        rows = [(self._blocks[block], row) for block, row in (self._where[number] for number in numbers)]
        clean = torch.stack([block["photos"][block["owners"][row]] for block, row in rows])
        changes = torch.stack([block["changes"][row] for block, row in rows])
        return clean, changes, torch.tensor(STRENGTHS)[self.strengths[numbers]]

    def attacked(self, strength: int) -> Tensor:
        """(N, 3, S, S) in [0, 1], all photos at that strength, in the order of ``photos``.

        Raises:
            ValueError: not every photo was attacked at it.
        """
        numbers = (self.strengths == strength).nonzero().flatten().tolist()
        if len(numbers) != len(self.labels):
            raise ValueError(f"{len(numbers)} of {len(self.labels)} photos have strength {strength}")
        return put_together(*self.at(numbers))


def put_together(clean: Tensor, changes: Tensor, eps: Tensor) -> Tensor:
    """Attacked photos in [0, 1] of what ``Pairs.at`` gives, on its device."""
    change = changes.float() * (eps / LEVELS).view(-1, 1, 1, 1)
    return (from_bytes(clean) + change).clamp(0, 1)
