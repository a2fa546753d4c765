"""The enhanced LGS paper's Table 1 in small: ``python -m evaluation.patch_table --photos FOLDER``.

On photos that the classifier gets right: share fooled by LaVAN at several sizes (random target, top right)
and by PGD; top-1 after LGS, SLGS and WLGS at several λ, clean and attacked; mean SSIM; and how much of each
saliency lies on the patch.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from attacks.base import Attack
from attacks.lavan import LaVAN
from attacks.pgd import PGD
from classifiers import load
from classifiers.base import Classifier
from defenses.lgs import LGS
from defenses.slgs import SLGS
from defenses.wlgs import WLGS
from evaluation.metrics import ssim
from explain import SALIENCIES, saliency
from photos.folder import list_folder, open_photo

SHARES = (0.01, 0.017, 0.022, 0.05, 0.10)
LAMBDAS = (1.5, 2.3, 3.5)
METHODS = {"LGS": LGS, "SLGS": SLGS, "WLGS": WLGS}
BATCH = 20


def right_photos(
    folder: Path, classifier: Classifier, size: int, limit: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Photos (N, 3, size, size) that the classifier gets right, and labels (N,); ``limit`` of them."""
    found = [(file, label) for file, label in list_folder(folder) if label in classifier.labels]
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(seed)).tolist()
    photos: list[Tensor] = []
    labels: list[Tensor] = []
    for start in range(0, len(order), BATCH):
        part = [found[number] for number in order[start : start + BATCH]]
        x = torch.cat([open_photo(file).working(size) for file, _ in part])
        y = torch.tensor([classifier.index(label) for _, label in part])
        right = predicted(classifier, x) == y
        photos.append(x[right])
        labels.append(y[right])
        if sum(map(len, labels)) >= limit:
            break
    return torch.cat(photos)[:limit], torch.cat(labels)[:limit]


def random_targets(labels: Tensor, count: int, seed: int) -> Tensor:
    """(N,) for each of ``labels`` (N,) another of ``count`` labels."""
    drawn = torch.randint(count - 1, labels.shape, generator=torch.Generator().manual_seed(seed))
    return drawn + (drawn >= labels)


def parts(*tensors: Tensor, name: str) -> Iterator[tuple[Tensor, ...]]:
    """Batches of the tensors, with a progress bar."""
    batches = zip(*(tensor.split(BATCH) for tensor in tensors), strict=True)
    yield from tqdm(batches, desc=name, total=-(-len(tensors[0]) // BATCH), leave=False)


def in_batches(x: Tensor, compute: Callable[[Tensor], Tensor], name: str) -> Tensor:
    """``compute`` of every batch of ``x``, joined."""
    return torch.cat([compute(part).detach() for (part,) in parts(x, name=name)])


@torch.no_grad()
def predicted(classifier: Classifier, x: Tensor) -> Tensor:
    """(N,) the likeliest labels."""
    return torch.cat([classifier(part).argmax(1) for part in x.split(BATCH)])


def attacked_by(attack: Attack, classifier: Classifier, x: Tensor, y: Tensor, name: str) -> Tensor:
    """The attacked photos, without the way that led there."""
    batches = parts(x, y, name=name)
    return torch.cat(
        [attack.run(photos, labels, classifier, frames=0).attacked for photos, labels in batches]
    )


def share(hits: Tensor) -> float:
    """Share of True, as a percentage with one digit."""
    return round(100 * hits.float().mean().item(), 1)


def defended(classifier: Classifier, pictures: dict[str, Tensor], y: Tensor) -> list[dict[str, Any]]:
    """For each method and λ: top-1 on each set of pictures, and on the first the mean SSIM to it."""
    rows: list[dict[str, Any]] = []
    for method, kind in METHODS.items():
        for lam in LAMBDAS:
            defense = kind(lam=lam)
            row: dict[str, Any] = {"defense": method, "lam": lam}
            for number, (name, x) in enumerate(pictures.items()):
                result = in_batches(x, lambda part: defense(part, classifier), f"{method} λ {lam} {name}")  # noqa: B023
                row[name] = share(predicted(classifier, result) == y)
                if number == 0:
                    pairs = zip(x, result, strict=True)
                    row["ssim"] = round(sum(ssim(before, after) for before, after in pairs) / len(x), 3)
            rows.append(row)
    return rows


def on_patch(
    classifier: Classifier, clean: Tensor, attacked: Tensor, mask: Tensor
) -> dict[str, dict[str, float]]:
    """By saliency method, the mean share (%) of its mass inside ``mask`` (1, 1, H, W), before and after."""

    def mass(x: Tensor, method: str) -> float:
        maps = in_batches(x, lambda part: saliency(part, classifier, method=method), f"saliency {method}")
        inside = (maps * mask).sum((1, 2, 3)) / maps.sum((1, 2, 3)).clamp(min=1e-12)
        return round(100 * inside.mean().item(), 1)

    return {
        method: {"clean": mass(clean, method), "attacked": mass(attacked, method)} for method in SALIENCIES
    }


def measure(classifier: Classifier, folder: Path, *, size: int, limit: int, seed: int) -> dict[str, Any]:
    """All figures of the table."""
    x, y = right_photos(folder, classifier, size, limit, seed)
    targets = random_targets(y, len(classifier.labels), seed)
    pictures = {"clean": x}
    fooled: list[dict[str, Any]] = []
    for area in SHARES:
        name = f"LaVAN {100 * area:g} %"
        attack = LaVAN(share=area)
        pictures[name] = attacked_by(attack, classifier, x, targets, name)
        now = predicted(classifier, pictures[name])
        fooled.append({"attack": name, "to target": share(now == targets), "top-1": share(now == y)})
    mask = attack.mask(x[:1])
    name = "PGD 2/255"
    pgd = attacked_by(PGD(eps=2 / 255), classifier, x, y, name)
    fooled.append({"attack": name, "to target": None, "top-1": share(predicted(classifier, pgd) == y)})
    assert mask is not None
    return {
        "classifier": classifier.identity,
        "size": size,
        "photos": len(x),
        "attacks": fooled,
        "defenses": defended(classifier, pictures, y),
        "saliency on the largest patch": on_patch(
            classifier, x, pictures[f"LaVAN {100 * SHARES[-1]:g} %"], mask
        ),
    }


def markdown(rows: list[dict[str, Any]]) -> str:
    """Rows with the same keys as a table."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([str(row[head]) for head in heads] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True, help="folder of label/name.jpg")
    parser.add_argument("--classifier", default="builtin")
    parser.add_argument("--size", type=int, help="working size in px; the classifier's own by default")
    parser.add_argument("--limit", type=int, default=200, help="how many photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    figures = measure(classifier, given.photos, size=size, limit=given.limit, seed=given.seed)
    print(f"{figures['photos']} photos at {size} px, {figures['classifier']}\n")
    print(markdown(figures["attacks"]), markdown(figures["defenses"]), sep="\n\n")
    on_it = figures["saliency on the largest patch"]
    print("\nShare (%) of the saliency's mass on the largest patch's place:\n")
    print(markdown([{"saliency": method, **values} for method, values in on_it.items()]))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
