"""Which attacks each defense undoes, with an example for its page: ``python -m experiments.examples``.

``--photos SOURCE`` are labelled photos; ``--limit`` of those that the classifier gets right are attacked, and
so is the gallery, at every rung of a ladder: small changes at several ε, every ready-made patch that was
trained on the classifier, and a patch learned for each photo. All defenses work at their defaults. What was
measured goes into the file that the pages read, rung by rung, so that a command that was broken off goes on
where it was, and a defense that came later is measured alone. One that has changed is named by ``--again``.

    python -m experiments.examples --classifier imagenet --photos IMAGENET
    python -m experiments.examples --classifier builtin-vgg --photos PHOTOS/val

An attack fools a photo surely, and a defense undoes that surely, where the wrong and the right label have a
probability of at least one half.
"""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attacks import ATTACKS, Attack
from attacks.iterated_fgsm import IteratedFGSM
from attacks.lavan import LaVAN
from attacks.pgd import PGD
from attacks.placement import PatchAttack
from attacks.universal_patch import UniversalPatch, trained_on
from classifiers import load
from classifiers.base import Classifier
from defenses import DEFENSES, defend
from evaluation.many_photos.examples import FILE, SURE, Rung, Trials, trials_of
from evaluation.many_photos.measuring import (
    LabelledPhotos,
    attacked_by,
    in_parts,
    options,
    right_photos,
    tell,
)
from evaluation.measures.accuracy import predicted, probabilities
from evaluation.one_photo.report import method_facts
from explain import Memo, remembering
from photos import Source, gallery, gallery_photo, open_source
from story.table import markdown_table, percent

EPS = (4.0, 2.0, 1.0, 0.5)
"""Strengths of the small changes, of 255."""
STEPS = 10
LEARNED = 0.10
"""Size of the patch that is learned for each photo, of its area."""


def ladder(classifier: Classifier) -> list[Attack]:
    """The attacks on ``classifier``, of each the strongest first."""
    small = [IteratedFGSM(eps=eps / 255, iterations=STEPS) for eps in EPS]
    own = trained_on(classifier.identity)
    by_size = sorted(own, key=lambda card: (-card.share, -card.everything["val"]["fooled"]))
    pasted: list[Attack] = [UniversalPatch(patch=card.name) for card in by_size]
    learned = LaVAN(share=LEARNED, goal="untargeted")
    return [*small, PGD(eps=EPS[1] / 255, iterations=STEPS), *pasted, learned]


def gallery_photos(classifier: Classifier, size: int) -> tuple[tuple[str, ...], LabelledPhotos]:
    """The gallery with the labels that the classifier gives it, and the photos' names."""
    photos = [gallery_photo(name) for name in gallery()]
    x = torch.cat([photo.working(size, classifier.crop_share) for photo in photos])
    digests = tuple(photo.digest for photo in photos)
    return gallery(), LabelledPhotos(x, predicted(classifier, x), digests)


def behind(defense: str, attacked: Tensor, classifier: Classifier) -> tuple[Tensor, Tensor]:
    """(N,) the labels that come out of a defense, -1 where it rejects, and (N, labels) probabilities."""
    method = DEFENSES[defense]()

    def part(x: Tensor) -> tuple[Tensor, Tensor]:
        with remembering(Memo(512_000_000)):
            outcome = defend(method, x, classifier)
        return outcome.labels.cpu(), outcome.logits.softmax(1).cpu()

    parts = in_parts(part, attacked, model=classifier, name=defense)
    labels, likely = zip(*parts, strict=True)
    return torch.cat(labels), torch.cat(likely)


def under(
    classifier: Classifier, attack: Attack, photos: LabelledPhotos, defenses: Iterable[str]
) -> tuple[Tensor, Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """What the classifier says of attacked photos, and what each of ``defenses`` makes of them.

    Returns:
        (N,) labels and (N,) their probabilities without a defense; and by name of a defense what ``behind``
        gives.
    """
    attacked = attacked_by(attack, classifier, photos.x, photos.y, attack.title)
    most, says = probabilities(classifier, attacked).max(1)
    return says, most, {name: behind(name, attacked, classifier) for name in defenses}


def count(
    classifier: Classifier, attack: Attack, photos: LabelledPhotos, kept: Mapping[str, Any]
) -> dict[str, Any]:
    """How many of ``photos`` the attack fools, and how many each defense brings back.

    ``kept`` are such figures, of some defenses; only the others are measured.
    """
    counts: dict[str, dict[str, int]] = dict(kept.get("defenses", {}))
    missing = [name for name in DEFENSES if name not in counts]
    if not missing:
        return dict(kept)
    says, most, answers = under(classifier, attack, photos, missing)
    y = photos.y
    surely = (says != y) & (most >= SURE)
    for name, (labels, likely) in answers.items():
        undone = surely & (labels == y) & (likely.gather(1, y[:, None])[:, 0] >= SURE)
        counts[name] = {"right": int((labels == y).sum()), "undone": int(undone.sum())}
    fooled = int((says != y).sum())
    ordered = {name: counts[name] for name in DEFENSES}
    return {"photos": len(y), "fooled": fooled, "surely": int(surely.sum()), "defenses": ordered}


def on_gallery(
    classifier: Classifier,
    attack: Attack,
    names: Sequence[str],
    photos: LabelledPhotos,
    kept: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """What becomes of each photo of the gallery, attacked and defended by itself, as on a page.

    ``kept`` are such rows, of some photos and defenses; only the others are measured.
    """
    earlier = {row["name"]: row for row in kept}
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        row = earlier.get(name, {"defended": {}})
        values: dict[str, float] = dict(row["defended"])
        missing = [defense for defense in DEFENSES if defense not in values]
        if not missing:
            rows.append(dict(row))
            continue
        alone = photos.part(slice(number, number + 1))
        says, most, answers = under(classifier, attack, alone, missing)
        label = int(alone.y)
        for defense, (labels, likely) in answers.items():
            value = float(likely[0, label] if int(labels) == label else -likely.max())
            values[defense] = round(value, 4)
        rows.append(
            {
                "name": name,
                "label": classifier.labels[label],
                "attacked_label": classifier.labels[int(says)],
                "attacked": round(most.item(), 4),
                "defended": {defense: values[defense] for defense in DEFENSES},
            }
        )
    return rows


def measure(
    classifier: Classifier,
    source: Source,
    attacks: Sequence[Attack],
    file: Path,
    *,
    size: int,
    limit: int,
    seed: int,
    command: str,
    again: Collection[str] = (),
) -> Trials:
    """What ``file`` does not hold yet of every rung; each is written there as soon as it is measured.

    What it holds of the defenses in ``again`` counts as nothing.
    """
    photos = right_photos(source, classifier, size, limit, seed)
    names, own = gallery_photos(classifier, size)
    facts = {
        "identity": classifier.identity,
        "size": size,
        "source": f"{len(photos)} photos that the classifier gets right",
        "digests": _digest_of(photos),
        "command": command,
    }
    every = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = every.get(classifier.name, {})
    alike = all(kept.get(fact) == facts[fact] for fact in ("identity", "size", "digests"))
    earlier = {json.dumps(one["attack"]): one for one in kept["rungs"]} if alike else {}
    for one in earlier.values():
        for of_defenses in (one["defenses"], *(trial["defended"] for trial in one["gallery"])):
            for name in again:
                of_defenses.pop(name, None)
    ordered = {json.dumps(wanted): wanted for wanted in (method_facts(attack, ATTACKS) for attack in attacks)}

    def keep(rungs: Iterable[dict[str, Any]]) -> None:
        every[classifier.name] = facts | {"rungs": list(rungs)}
        file.write_text(json.dumps(every, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    for attack, (key, wanted) in zip(attacks, ordered.items(), strict=True):
        one = earlier.get(key, {})
        figures = {"attack": wanted, **count(classifier, attack, photos, one)}
        figures["gallery"] = on_gallery(classifier, attack, names, own, one.get("gallery", ()))
        earlier[key] = figures
        if figures != one:
            tell(table(trials_of(facts | {"rungs": [figures]})))
            keep(earlier.values())
    keep(earlier[key] for key in ordered)
    return trials_of(every[classifier.name])


def table(trials: Trials) -> list[dict[str, Any]]:
    """A row for each defense: % of all photos right behind it, by rung; and what its example is."""
    rows: list[dict[str, Any]] = [
        {"defense": "none", **{title(one): percent(1 - one.fooled.or_zero) for one in trials.rungs}}
    ]
    for name in DEFENSES:
        rows.append(
            {"defense": name, **{title(one): percent(one.right[name].or_zero) for one in trials.rungs}}
        )
    return rows


def examples_table(trials: Trials) -> list[dict[str, Any]]:
    """A row for each defense: the example that its page opens with, and how often the same holds."""
    rows: list[dict[str, Any]] = []
    for name in DEFENSES:
        example = trials.example(name)
        if example is None:
            rows.append({"defense": name, "attack": "none that it undoes", "photo": "–"})
            continue
        low, high = example.undone.low, example.undone.high
        trial = example.trial
        rows.append(
            {
                "defense": name,
                "attack": title(example.rung),
                "photo": trial.name,
                "attacked": f"{trial.attacked_label} {percent(trial.attacked)}",
                "defended": f"{trial.label} {percent(trial.defended[name])}",
                "undoes %": percent(example.undone.or_zero),
                "of": example.undone.of,
                "95 %": f"{percent(low)}–{percent(high)}",
            }
        )
    return rows


def title(one: Rung) -> str:
    """A rung in a word or two."""
    if isinstance(one.attack, UniversalPatch):
        return one.attack.patch
    if isinstance(one.attack, PatchAttack):
        return f"{one.name} {100 * one.strength:g} %"
    return f"{one.name} {255 * one.strength:g}/255"


def _digest_of(photos: LabelledPhotos) -> str:
    """Tells one draw of photos from another."""
    return hashlib.sha256(" ".join(photos.digests).encode()).hexdigest()


def main(given: Namespace) -> None:
    """Measures what is missing and prints both tables."""
    classifier = load(given.classifier)
    trials = measure(
        classifier,
        open_source(given.photos),
        ladder(classifier),
        given.out,
        size=given.size or classifier.working_size,
        limit=given.limit,
        seed=given.seed,
        command="python -m experiments.examples --photos PHOTOS"
        f" --classifier {classifier.name} --limit {given.limit} --seed {given.seed}",
        again=given.again,
    )
    print(f"{trials.source}, {classifier.identity}\n\n{markdown_table(table(trials))}\n")
    print(markdown_table(examples_table(trials)))


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument(
        "--again", nargs="+", default=(), choices=tuple(DEFENSES), help="defenses that are measured again"
    )
    parser.add_argument("--out", type=Path, default=FILE, help="the file that the pages read")
    main(parser.parse_args())
