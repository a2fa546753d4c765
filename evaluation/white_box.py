"""The enhanced LGS paper's Figure 10: ``python -m evaluation.white_box --photos FOLDER --json FILE``.

LaVAN learned through LGS, SLGS and WLGS at several λ, on photos that the classifier gets right, with a random
target: success behind the defense for an attacker who is oblivious, and by each kind of gradient for one who
knows it. The paper finds that knowing the defense hardly helps. Expectation over transformation is left out:
nothing is drawn at random here, so it is the exact gradient. With --json, a case that the file holds does not
run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks.lavan import LaVAN
from classifiers import load
from classifiers.base import Classifier
from defenses import THREATS, Defended
from defenses.lgs import LGS
from defenses.slgs import SLGS
from defenses.wlgs import WLGS
from evaluation.intervals import wilson
from evaluation.measuring import markdown, options, parts, random_targets, right_photos, share
from explain import SALIENCIES

METHODS: dict[str, type[LGS]] = {"LGS": LGS, "SLGS": SLGS, "WLGS": WLGS}
LAMBDAS = (1.5, 2.3, 3.5)
KNOWING = ("oblivious", "bpda", "exact")
FIXED = tuple(method for method in SALIENCIES if method != "smoothgrad")
"""Ways to ask where the classifier looks that draw nothing."""


def cases(saliency: str) -> Iterator[tuple[str, float, str, LGS]]:
    """Name of the method, λ, threat, and the defense."""
    for name, method in METHODS.items():
        looking: dict[str, Any] = {"saliency": saliency} if "saliency" in method().values() else {}
        for lam in LAMBDAS:
            for threat in KNOWING:
                yield name, lam, threat, method(lam=lam, **looking)


def outcome(
    attack: LaVAN, threat: str, defense: LGS, classifier: Classifier, x: Tensor, y: Tensor, targets: Tensor
) -> dict[str, Any]:
    """What becomes of photos ``x`` (N, 3, H, W) with labels ``y`` (N,), attacked towards ``targets`` (N,)."""
    said = []
    behind = Defended(defense, classifier)
    for photos, wanted in parts(x, targets, name=f"{defense.title} λ {defense.lam}, {threat}"):
        through = THREATS[threat]().attacked(defense, classifier)
        attacked = attack.run(photos, wanted, through, frames=0).attacked
        with torch.no_grad():
            said.append(behind(attacked).argmax(1))
    labels = torch.cat(said)
    low, high = wilson(int((labels == targets).sum()), len(labels))
    return {
        "to target": share(labels == targets),
        "95 %": f"{100 * low:.1f} to {100 * high:.1f}",
        "right": share(labels == y),
    }


def measure(
    classifier: Classifier,
    folder: Path,
    attack: LaVAN,
    *,
    size: int,
    limit: int,
    seed: int,
    saliency: str,
    file: Path | None,
) -> dict[str, Any]:
    """A row for each case; ``file`` is replaced after each.

    Raises:
        ValueError: ``file`` holds the figures of another run.
    """
    x, y = (part.to(classifier.device) for part in right_photos(folder, classifier, size, limit, seed))
    targets = random_targets(y.cpu(), len(classifier.labels), seed).to(classifier.device)
    head: dict[str, Any] = {
        "classifier": classifier.identity,
        "size": size,
        "photos": len(x),
        "seed": seed,
        "saliency": saliency,
        "attack": attack.values(),
    }
    rows = _finished(file, head)
    known = {(row["defense"], row["lam"], row["threat"]) for row in rows}
    for name, lam, threat, defense in cases(saliency):
        if (name, lam, threat) in known:
            continue
        told = outcome(attack, threat, defense, classifier, x, y, targets)
        rows.append({"defense": name, "lam": lam, "threat": threat, **told})
        if file is not None:
            written = file.with_suffix(".part")
            written.write_text(json.dumps({**head, "rows": rows}, indent=1) + "\n", encoding="utf-8")
            written.replace(file)
    return {**head, "rows": rows}


def _finished(file: Path | None, head: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that ``file`` holds already."""
    if file is None or not file.exists():
        return []
    figures = json.loads(file.read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = figures.pop("rows", [])
    if figures != json.loads(json.dumps(head)):
        raise ValueError(f"{file} holds the figures of another run; give another --json")
    return rows


def main() -> None:
    """The command."""
    parser = options(__doc__)
    parser.add_argument("--saliency", default="auto", choices=("auto", *FIXED))
    parser.add_argument("--share", type=float, default=LaVAN().share, help="of the photo's area, 0-1")
    parser.add_argument("--iterations", type=int, default=LaVAN().iterations)
    given = parser.parse_args()
    classifier = load(given.classifier)
    figures = measure(
        classifier,
        given.photos,
        LaVAN(share=given.share, iterations=given.iterations),
        size=given.size or classifier.working_size,
        limit=given.limit,
        seed=given.seed,
        saliency=given.saliency,
        file=given.json,
    )
    print(f"{figures['photos']} photos at {figures['size']} px, {figures['classifier']}\n")
    print(markdown(figures["rows"]))


if __name__ == "__main__":
    main()
