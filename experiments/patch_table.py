"""Ready-made patches behind LGS, SLGS and WLGS: ``python -m experiments.patch_table --photos SOURCE``.

Top-1 on ``--limit`` photos as they are and under every ready-made patch that was trained on the classifier:
without a defense, and behind LGS, SLGS and WLGS at three λ, the latter two by the gradient and by the class
activation map. All photos count, right or wrong before; those that are of a patch's target by their label are
left out under that patch. What ``--json`` holds already is not measured again.

The enhanced LGS paper's Table 1, on an ImageNet network and universal patches.
"""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import torch
from torch import Tensor

from attacks.universal_patch import UniversalPatch, card_of, trained_on
from classifiers import load
from classifiers.base import Classifier
from defenses import LGS, SLGS, WLGS, Defense, defend_each
from evaluation.many_photos.measuring import LabelledPhotos, drawn_photos, in_parts, options, tell
from evaluation.measures.accuracy import predicted
from evaluation.measures.intervals import wilson
from explain import Memo, remembering
from photos import open_source
from story.table import markdown_table, percent

LAMBDAS = (1.5, 2.3, 3.5)
SALIENCIES = ("gradient", "cam")
CLEAN, NONE = "no patch", "none"
_MEMO_BYTES = 10**9


def defenses() -> dict[str, Defense]:
    """Name in the table -> defense."""
    by_title: dict[str, Defense] = {f"LGS, λ {lam}": LGS(lam=lam) for lam in LAMBDAS}
    for kind in (SLGS, WLGS):
        for method in SALIENCIES:
            for lam in LAMBDAS:
                by_title[f"{kind.__name__}, {method}, λ {lam}"] = kind(lam=lam, saliency=method)
    return by_title


def column(classifier: Classifier, photos: LabelledPhotos, patch: str | None) -> dict[str, Any]:
    """Top-1 of the photos under a patch, None for as they are.

    Returns:
        ``photos``, how many; ``to target``, how many say its target without a defense; ``right``: name in the
        table -> how many are right.
    """
    every, goal = defenses(), -1 if patch is None else classifier.index(card_of(patch).target)
    counted = photos.y != goal
    x, y = photos.x[counted], photos.y[counted]
    if patch is not None:
        attack = UniversalPatch(patch=patch)
        parts = in_parts(lambda part, labels: attack(part, labels, classifier).cpu(), x, y, model=classifier)
        x = torch.cat(parts)
    alone = predicted(classifier, x)

    def part(shown: Tensor) -> Tensor:
        """(B, defenses) the labels that come out."""
        with torch.no_grad(), remembering(Memo(_MEMO_BYTES)):
            outcomes = defend_each(every.values(), shown, classifier)
        return torch.stack([outcome.labels.cpu() for outcome in outcomes], 1)

    labels = torch.cat(in_parts(part, x, model=classifier, name=patch or CLEAN))
    right = (labels == y[:, None]).sum(0).tolist()
    return {
        "photos": len(y),
        "to target": int((alone == goal).sum()),
        "right": {NONE: int((alone == y).sum()), **dict(zip(every, right, strict=True))},
    }


def table(columns: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each defense, % right in each column."""
    rows: list[dict[str, Any]] = []
    for title in next(iter(columns.values()))["right"]:
        shares = {name: percent(one["right"][title] / one["photos"]) for name, one in columns.items()}
        rows.append({"defense": title, **shares})
    return rows


def target_table(columns: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each patch: how often the classifier says its target, with the 95 % interval."""
    rows: list[dict[str, Any]] = []
    for name, one in columns.items():
        if name == CLEAN:
            continue
        low, high = wilson(one["to target"], one["photos"])
        rows.append(
            {
                "patch": name,
                "photos": one["photos"],
                "to target %": percent(one["to target"] / one["photos"]),
                "from": percent(low),
                "to": percent(high),
            }
        )
    return rows


def main(given: Namespace) -> None:
    """Measures what is missing, and prints both tables."""
    classifier = load(given.classifier)
    size = given.size or classifier.working_size
    facts = {"classifier": classifier.identity, "size": size, "limit": given.limit, "seed": given.seed}
    kept = json.loads(given.json.read_text(encoding="utf-8")) if given.json and given.json.exists() else {}
    columns: dict[str, dict[str, Any]] = kept["columns"] if kept.get("facts") == facts else {}
    photos = drawn_photos(open_source(given.photos), classifier, size, given.limit, given.seed)
    own = sorted(trained_on(classifier.identity), key=lambda card: card.share)
    for name in [CLEAN, *(card.name for card in own)]:
        if name not in columns:
            columns[name] = column(classifier, photos, None if name == CLEAN else name)
            tell(table({name: columns[name]}))
        if given.json:
            text = json.dumps({"facts": facts, "columns": columns}, indent=1, ensure_ascii=False)
            given.json.write_text(text + "\n", encoding="utf-8")
    print(f"{len(photos)} photos at {size} px, {classifier.identity}, top-1 in %\n")
    print(f"{markdown_table(table(columns))}\n\n{markdown_table(target_table(columns))}")


if __name__ == "__main__":
    parser = options(__doc__)
    parser.set_defaults(limit=500)
    main(parser.parse_args())
