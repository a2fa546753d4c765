"""What stands on the command line as things: a photo, a classifier, methods, a folder to write into."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from attacks import ATTACKS, Attack
from attacks.strength import own_strength
from classifiers import Classifier, attack_strength, load, own
from defenses import DEFENSES, THREATS, Defense, Oblivious, Threat
from photos import MAX_BYTES, Photo, PhotoError, few, gallery, gallery_photo, gallery_remark, read_photo
from story import Parameter, Parametrised
from story.export import is_output
from terminal.bar import Bar
from terminal.flags import given_flags, texts_for

Method = TypeVar("Method", bound=Parametrised)

_SEED = Parameter("seed", 0, "fixes the random label", low=0, high=2**31 - 1)


def given_methods(options: Namespace) -> tuple[Attack | None, Defense | None, Threat, int | None]:
    """The methods with their parameters; the seed of the random label where it is not the attack's own."""
    methods: dict[str, type[Parametrised]] = {}
    if options.attack is not None:
        methods["attack"] = named("attack", options.attack, ATTACKS)
    if options.defense is not None:
        methods["defense"] = named("defense", options.defense, DEFENSES)
    add_threat(options, methods)
    given = given_flags(options)
    seed = take_seed(given, methods)
    texts = texts_for(given, methods)
    attack, defense = attack_of(options, texts.get("attack", {})), None
    if options.defense is not None:
        defending = DEFENSES[options.defense]
        defense = defending(**defending.parsed(texts["defense"]))
    return attack, defense, threat_of(options, texts.get("threat", {})), seed


def add_threat(options: Namespace, methods: dict[str, type[Parametrised]]) -> None:
    """Puts what the attacker knows among the ``methods``, where the command line says so.

    Raises:
        ValueError: no such threat, or one without an attack.
    """
    if options.threat is None:
        return
    if options.attack is None:
        raise ValueError("--threat is the attack's: give --attack too")
    methods["threat"] = named("threat", options.threat, THREATS)


def threat_of(options: Namespace, texts: Mapping[str, str]) -> Threat:
    """What the attacker knows, with the parameters ``texts``; nothing where the command line is silent.

    Raises:
        ValueError: a parameter outside its range.
    """
    if options.threat is None:
        return Oblivious()
    knowing = named("threat", options.threat, THREATS)
    return knowing(**knowing.parsed(texts))


def attack_of(options: Namespace, texts: Mapping[str, str]) -> Attack | None:
    """The attack that the command line names, with the parameters ``texts``.

    Raises:
        ValueError: a parameter outside its range, or a target without an attack.
    """
    if options.attack is None:
        if options.target is not None:
            raise ValueError("--target is the attack's: give --attack too")
        return None
    attacking = named("attack", options.attack, ATTACKS)
    if options.target is not None and attacking.targeted == "either":
        texts = {attacking.goal_name: "targeted", **texts}
    return attacking(**(own_strength(attacking, strength_for(options)) | attacking.parsed(texts)))


def strength_for(options: Namespace) -> dict[str, float | int | str]:
    """The strength that attacks have by default on the classifier of the command line."""
    return {} if options.weights else attack_strength(options.classifier)


def named(role: str, name: str, registry: Mapping[str, type[Method]]) -> type[Method]:
    """The method of that name.

    Raises:
        ValueError: there is none; those that there are are named.
    """
    if name not in registry:
        raise ValueError(f"there is no {role} {name!r}, only {', '.join(registry)}")
    return registry[name]


def take_seed(given: dict[str, str], methods: Mapping[str, type[Parametrised]]) -> int | None:
    """Takes ``--seed`` out of ``given`` where it can only be that of the random label."""
    seeded = {role for role, method in methods.items() if method.seed_name}
    if "attack" not in methods or "attack" in seeded:
        return None
    flags = ["attack.seed"] if seeded else ["attack.seed", "seed"]
    texts = [given.pop(flag) for flag in flags if flag in given]
    return int(_SEED.parse(texts[0])) if texts else None


def checked_folder(text: str, photo: str) -> Path:
    """The folder to write into; nothing is made yet.

    Raises:
        ValueError: it cannot be one, or writing there could write over the photo.
    """
    if not text:
        raise ValueError("--out is the name of a folder, not nothing")
    folder = Path(text)
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is a file, so {text} cannot be the folder to write into")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"{text} cannot be written: no permission in {nearest}")
    file = Path(photo)
    if is_output(file.name) and file.exists() and file.absolute().parent.resolve() == folder.resolve():
        raise ValueError(f"{photo} could be written over: choose another folder with --out")
    return folder


def opened(text: str) -> Photo:
    """The photo in the file ``text``, or the gallery's of that name."""
    path = Path(text)
    if not path.exists():
        try:
            return gallery_photo(text)
        except PhotoError:
            remark = gallery_remark()
            raise ValueError(
                f"there is no file {text}, nor a gallery photo of that name ({few(list(gallery()))})"
                + (f". {remark}" if remark else "")
            ) from None
    if path.is_dir():
        raise ValueError(f"{text} is a folder, not a photo")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"{text} has {path.stat().st_size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} can be read"
        )
    with path.open("rb") as file:
        return read_photo(file.read(MAX_BYTES + 1), text)  # a pipe tells no size beforehand


def loaded(options: Namespace) -> Classifier:
    """The classifier that the command line names, downloaded where it has to be.

    Raises:
        ValueError: it cannot be had.
    """
    if (options.weights is None) != (options.labels is None):
        raise ValueError("a classifier of your own needs both --weights and --labels")
    if options.weights is not None:
        return own(options.classifier, options.weights, options.labels, device=options.device)
    with Bar(f"downloading {options.classifier}", quiet=options.quiet) as bar:
        return load(
            options.classifier,
            device=options.device,
            progress=lambda done, total: bar.show(done // 1_000_000, total // 1_000_000, "MB"),
        )
