"""LaVAN against ART's patch attack: ``python -m experiments.art_patch --photos FOLDER``.

Both learn a patch for each photo that the classifier gets right, of the same size and place, towards the same
random target, in the same number of steps; ours also stops early. Share of photos that say the target. Needs
the Adversarial Robustness Toolbox (requirements-dev.txt); of its two optimisers the better one counts.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from attacks.lavan import LaVAN
from attacks.placement import pasted
from bench.attack_peers import art_estimator
from classifiers import load
from classifiers.base import Classifier
from evaluation.many_photos.measuring import attacked_by, options, right_photos
from evaluation.measures.accuracy import predicted, share
from evaluation.measures.intervals import wilson
from photos import Source, open_source
from story.table import markdown_table

OPTIMISERS = {"Adam": 0.05, "pgd": 0.05}
"""ART's name -> learning rate, of full range."""


def by_art(attack: LaVAN, classifier: Classifier, x: Tensor, targets: Tensor, optimiser: str) -> Tensor:
    """Photos ``x`` (N, 3, H, W), each with a patch that ART learned for it where ours would lie."""
    from art.attacks.evasion import AdversarialPatchPyTorch

    estimator = art_estimator(classifier, x)
    box = attack.box(x.shape[2], x.shape[3])
    photos = []
    for photo, target in tqdm(zip(x, targets.tolist(), strict=True), desc=f"ART {optimiser}", total=len(x)):
        learning = AdversarialPatchPyTorch(
            estimator,
            rotation_max=0.0,
            learning_rate=OPTIMISERS[optimiser],
            max_iter=attack.iterations,
            batch_size=1,
            patch_shape=(3, box.side, box.side),
            patch_location=(box.left, box.top),
            patch_type="square",
            optimizer=optimiser,
            targeted=True,
            verbose=False,
        )
        wanted = np.eye(len(classifier.labels), dtype=np.float32)[[target]]
        patch, _mask = learning.generate(photo[None].cpu().numpy(), wanted)
        photos.append(pasted(photo[None], box, torch.from_numpy(patch).to(x).clamp(0, 1)))
    return torch.cat(photos)


def measure(
    classifier: Classifier, source: Source, attack: LaVAN, *, size: int, limit: int, seed: int
) -> dict[str, Any]:
    """A row for ours, and one for each of ART's optimisers."""
    photos = right_photos(source, classifier, size, limit, seed)
    targets = photos.targets(len(classifier.labels), seed)
    attacked = {"LaVAN": attacked_by(attack, classifier, photos.x, targets, "LaVAN")}
    for optimiser in OPTIMISERS:
        x, wanted = photos.x.to(classifier.device), targets.to(classifier.device)
        attacked[f"ART, {optimiser}"] = by_art(attack, classifier, x, wanted, optimiser).cpu()
    rows = []
    for name, pictures in attacked.items():
        reached = predicted(classifier, pictures) == targets
        low, high = wilson(int(reached.sum()), len(reached))
        interval = f"{100 * low:.1f} to {100 * high:.1f}"
        rows.append({"attack": name, "to target": share(reached), "95 %": interval})
    return {
        "classifier": classifier.identity,
        "size": size,
        "photos": len(photos),
        "attack": attack.values(),
        "rows": rows,
    }


def main() -> None:
    """The command."""
    parser = options(__doc__)
    parser.add_argument("--share", type=float, default=LaVAN().share, help="of the photo's area, 0-1")
    parser.add_argument("--iterations", type=int, default=LaVAN().iterations)
    given = parser.parse_args()
    classifier = load(given.classifier)
    attack = LaVAN(share=given.share, iterations=given.iterations)
    size = given.size or classifier.working_size
    figures = measure(
        classifier, open_source(given.photos), attack, size=size, limit=given.limit, seed=given.seed
    )
    print(f"{figures['photos']} photos at {size} px, {figures['classifier']}\n")
    print(markdown_table(figures["rows"]))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
