"""The command that takes many photos: evaluate."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from attacks import ATTACKS, Attack
from attacks.strength import own_strength
from classifiers import Classifier, available_devices
from defenses import DEFENSES, THREATS, Defense, Threat
from evaluation.many_photos.batch import Plan
from evaluation.many_photos.evaluate import ELSEWHERE, ON_CPU, Selection, Share, evaluate, usual_batch
from evaluation.many_photos.run_folder import Run
from evaluation.many_photos.summary import summary_table
from photos import LARGEST_SIZE, SMALLEST_SIZE, Source, open_source
from photos.known_sets import KNOWN_SETS
from story import Parameter, Parametrised
from terminal.bar import Bar
from terminal.flags import Registries, add_flags, given_flags, texts_for
from terminal.inputs import checked_folder, loaded, named, strength_for

EVALUATE: Registries = {
    **{name: {name: cls} for name, cls in ATTACKS.items()},
    **{name: {name: cls} for name, cls in DEFENSES.items()},
}
"""Every method in a role of its own, so that each can have its parameters."""
OWN_OPTIONS = ("attack-wrong", "limit", "seed", "batch", "root")


def add_evaluation(parser: ArgumentParser, taken: tuple[str, ...]) -> None:
    """The command's own options and every parameter; ``taken`` are options that are not parameters."""
    sets = ", ".join(KNOWN_SETS)
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of label/name.jpg, a folder with a CSV file (columns file, label), one of photos "
        f"named n02123045_name.jpg by ImageNet's ids, a zip of any, or a torchvision data set: {sets}",
    )
    parser.add_argument(
        "--attack",
        metavar="NAME",
        action="append",
        help="may be given several times (none by default), with parameters of its own as "
        f"lavan:share=5,iterations=100: {', '.join(ATTACKS)}",
    )
    parser.add_argument(
        "--defense",
        metavar="NAME",
        action="append",
        help="may be given several times (none by default), with parameters of its own as "
        f"slgs:lam=1.5: {', '.join(DEFENSES)}",
    )
    parser.add_argument(
        "--threat",
        metavar="NAME",
        action="append",
        help="what the attacker knows of each defense; may be given several times (oblivious), with "
        f"parameters of its own as eot:draws=5: {', '.join(THREATS)}",
    )
    parser.add_argument("--target", metavar="LABEL", help="label that the attacks shall reach")
    parser.add_argument(
        "--attack-wrong",
        action="store_true",
        help="attack also the photos that are wrong before the attack; without, they count as wrong",
    )
    parser.add_argument("--limit", metavar="N", type=int, help="how many photos, drawn by --seed (all)")
    parser.add_argument("--seed", metavar="N", default="0", help="draws the photos and the random labels (0)")
    parser.add_argument(
        "--batch",
        metavar="N",
        type=int,
        help=f"photos that are computed together ({ON_CPU} on the CPU, else {ELSEWHERE}); "
        "fewer at once where they do not fit",
    )
    parser.add_argument("--root", metavar="DIR", type=Path, help="folder of torchvision's data sets")
    parser.add_argument(
        "--out", metavar="RUN", required=True, help="folder of the run; it goes on where it was"
    )
    add_flags(parser, {**EVALUATE, "attack": ATTACKS, "defense": DEFENSES}, (*taken, *OWN_OPTIONS))
    parser.set_defaults(command=tell_evaluation)


def tell_evaluation(options: Namespace) -> None:
    """``run.json``, ``photos.parquet``, ``summary.json`` and ``table.md``; another call goes on with them."""
    attacks, defenses = _methods(options)
    share = Share.of(os.environ)
    seed = int(Parameter("seed", 0, "", low=0, high=2**31 - 1).parse(options.seed))
    for name, least in (("limit", 1), ("batch", 1)):
        given = getattr(options, name)
        if given is not None and given < least:
            raise ValueError(f"--{name} is a number of photos, at least {least}, not {given}")
    if options.size is not None and not SMALLEST_SIZE <= options.size <= LARGEST_SIZE:
        raise ValueError(f"--size is {SMALLEST_SIZE} to {LARGEST_SIZE} px, not {options.size}")
    out = checked_folder(options.out, options.source)
    source: Source = open_source(options.source, options.root, download=share.world == 1)
    if share.world > 1 and options.device in (None, "cuda") and "cuda" in available_devices():
        options.device = f"cuda:{share.local}"
    classifier = loaded(options)
    target = _target(options.target, attacks, classifier)
    selection = Selection(
        limit=options.limit,
        seed=seed,
        batch=options.batch or usual_batch(classifier.device),
        size=options.size or classifier.working_size,
    )
    with Bar("evaluating", quiet=options.quiet or share.local > 0) as bar:
        summary = evaluate(
            Run(out),
            source,
            classifier,
            Plan.under(_threats(options), attacks, defenses, target, seed, attack_wrong=options.attack_wrong),
            selection,
            share,
            lambda done, total: bar.show(done, total, "photos"),
            command=options.command_line,
        )
    if summary is None:
        if not options.json:
            print(f"{out}: this process's share is done; the last of {share.world} sums up.")
    else:
        print(json.dumps(summary.json, indent=1, allow_nan=False) if options.json else summary_table(summary))


def _methods(options: Namespace) -> tuple[dict[str, Attack], dict[str, Defense]]:
    """The attacks and defenses with their parameters, by the words that name them on the command line."""
    attacking = {text: named("attack", _base(text), ATTACKS) for text in options.attack or ()}
    defending = {text: named("defense", _base(text), DEFENSES) for text in options.defense or ()}
    methods: dict[str, type[Parametrised]] = {
        _base(text): cls for text, cls in [*attacking.items(), *defending.items()]
    }
    given = given_flags(options)
    for role, classes in (("attack", attacking), ("defense", defending)):
        names = list(dict.fromkeys(map(_base, classes)))
        if len(names) == 1:
            given = {
                f"{names[0]}.{flag.removeprefix(f'{role}.')}" if flag.startswith(f"{role}.") else flag: text
                for flag, text in given.items()
            }
    texts = texts_for(given, methods)
    if options.target is not None:
        for name, cls in attacking.items():
            if cls.targeted == "either":
                texts[_base(name)] = {cls.goal_name: "targeted", **texts[_base(name)]}
    strength = strength_for(options)
    return (
        {
            name: cls(**(own_strength(cls, strength) | cls.parsed(texts[_base(name)] | _own(name))))
            for name, cls in attacking.items()
        },
        {name: cls(**cls.parsed(texts[_base(name)] | _own(name))) for name, cls in defending.items()},
    )


def _threats(options: Namespace) -> dict[str, Threat]:
    """What the attacker knows, by the words that name it on the command line."""
    texts = options.threat or [next(iter(THREATS))]
    classes = {text: named("threat", _base(text), THREATS) for text in texts}
    return {text: cls(**cls.parsed(_own(text))) for text, cls in classes.items()}


def _base(text: str) -> str:
    """The method's name in ``name:parameter=value,parameter=value``."""
    return text.partition(":")[0]


def _own(text: str) -> dict[str, str]:
    """The parameters in it."""
    pairs = [pair.partition("=") for pair in text.partition(":")[2].split(",") if pair]
    for name, sign, _ in pairs:
        if not sign:
            raise ValueError(f"{text} names parameters as {_base(text)}:parameter=value, not {name}")
    return {name.strip().replace("-", "_"): value for name, _, value in pairs}


def _target(text: str | None, attacks: dict[str, Attack], classifier: Classifier) -> int | None:
    if text is None:
        return None
    if not any(attack.aim == "targeted" for attack in attacks.values()):
        raise ValueError("--target is the attack's: give an --attack that takes one")
    return classifier.index(text)
