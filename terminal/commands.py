"""The commands: classify, attack, defend."""

from __future__ import annotations

import json
import math
import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from attacks import ATTACKS, Attack, Report
from classifiers import BUILTIN, Classifier, load, own
from defenses import DEFENSES, Defense
from evaluation.report import photo_facts, ranking, save_story
from evaluation.run import Seen, Story, run_story
from explain import logits
from photos import MAX_BYTES, Photo, PhotoError, gallery, gallery_photo, read_photo
from photos.read import LARGEST_SIZE, SMALLEST_SIZE
from story import Parameter, Parametrised
from story.export import is_output
from terminal.bar import Bar
from terminal.flags import Registries, Registry, add_flags, explain_flags, given_flags, texts_for

ATTACK: Registries = {"attack": ATTACKS}
DEFEND: Registries = {"defense": DEFENSES, "attack": ATTACKS}
BATCH = 16
OPTIONS = (
    "attack",
    "defense",
    "target",
    "out",
    "classifier",
    "weights",
    "labels",
    "size",
    "device",
    "json",
    "quiet",
)
"""The commands' own options; a parameter of one of these names has only its longer flag."""
_PHOTO = "a file, or the name of a gallery photo"
_SEED = Parameter("seed", 0, "fixes the random label", low=0, high=2**31 - 1)
_FLAGS = """\
Every parameter below is a flag of the method that it stands under. Numbers are in the unit shown; a fraction
such as 8/255 is of the full range. A parameter that the chosen attack and defense share by name is written
--attack.NAME or --defense.NAME, which is always allowed. Without --target an attack that wants a label gets a
random one, fixed by --seed."""


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Leaves the sentence to the door, without the usage."""
        raise ValueError(message)


def run(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line ``arguments``, by default the process's own.

    Raises:
        ValueError: what cannot be used on the command line or in a file; the message is one sentence.
        OSError: a file that cannot be read or written.
        MemoryError: a device that is too small.
        SystemExit: after ``--help``.
    """
    chosen, unknown = _parser().parse_known_args(arguments)
    if unknown:
        raise ValueError(f"{unknown[0]} is not understood here; --help lists what is")
    try:
        chosen.command(chosen)
    except torch.OutOfMemoryError:
        raise MemoryError("the device has too little memory; a smaller --size needs less") from None


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="cli.py", description="Fool an image classifier, and un-fool it.", allow_abbrev=False
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    what = "say what a classifier sees in photos"
    classify = commands.add_parser("classify", help=what, description=what, allow_abbrev=False)
    classify.add_argument("photos", metavar="PHOTO", nargs="+", help=_PHOTO)
    _add_shared_options(classify)
    classify.set_defaults(command=_classify)
    what = "make a photo that fools the classifier"
    _add_story_options(commands.add_parser("attack", help=what, **_long(what, ATTACK)), ATTACK)
    what = "smooth an attack away, map by map"
    _add_story_options(commands.add_parser("defend", help=what, **_long(what, DEFEND)), DEFEND)
    return parser


def _long(what: str, registries: Registries) -> dict[str, Any]:
    """How a command with the flags of ``registries`` explains itself."""
    return {
        "description": what,
        "epilog": f"{_FLAGS}\n\n{explain_flags(registries)}",
        "formatter_class": RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


def _add_story_options(parser: ArgumentParser, registries: Registries) -> None:
    """The options of a command that writes a story; its first role must be filled."""
    parser.add_argument("photo", metavar="PHOTO", help=_PHOTO)
    main = next(iter(registries))
    for role, registry in registries.items():
        names = ", ".join(registry)
        text = names if role == main else f"attack the photo first: {names} (without: the photo as it is)"
        parser.add_argument(f"--{role}", metavar="NAME", required=role == main, help=text)
    parser.add_argument("--target", metavar="LABEL", help="label that the attack shall reach")
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder for story.json, pictures and arrays"
    )
    _add_shared_options(parser)
    add_flags(parser, registries, OPTIONS)
    parser.set_defaults(command=_tell, **dict.fromkeys(("attack", "defense")))


def _add_shared_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--classifier",
        metavar="NAME",
        default=BUILTIN,
        help=f"{BUILTIN} (the default), a torchvision one such as resnet50, or the architecture of --weights",
    )
    parser.add_argument("--weights", metavar="FILE", type=Path, help="your own state dict; needs --labels")
    parser.add_argument("--labels", metavar="FILE", type=Path, help="its labels, one per line")
    parser.add_argument(
        "--size",
        metavar="N",
        type=int,
        help=f"working size, {SMALLEST_SIZE} to {LARGEST_SIZE} px (the classifier's own by default)",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda or mps (the fastest there is by default)")
    parser.add_argument(
        "--json", action="store_true", help="print JSON, and nothing else, on standard output"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def _classify(chosen: Namespace) -> None:
    classifier = _load(chosen)
    size = classifier.working_size if chosen.size is None else chosen.size
    facts, pictures = [], []
    for text in chosen.photos:
        photo = _open(text)
        facts.append(photo_facts(photo, size))
        pictures.append(photo.working(size))
    lines = []
    with Bar("classifying", quiet=chosen.quiet or len(pictures) <= BATCH) as bar, torch.no_grad():
        for begin in range(0, len(pictures), BATCH):
            x = torch.cat(pictures[begin : begin + BATCH]).to(classifier.device)
            lines += classifier.top(logits(x, classifier))
            bar.show(len(lines), len(pictures))
    if chosen.json:
        told = [
            {"photo": fact, "classifier": classifier.name, "top": ranking(top)}
            for fact, top in zip(facts, lines, strict=True)
        ]
        print(json.dumps(told, indent=1, allow_nan=False))
        return
    for fact, top in zip(facts, lines, strict=True):
        print(f"{fact['name']} ({fact['width']} × {fact['height']} px)")
        for line in top:
            print(f"  {line.probability:6.1%}  {line.label}")


def _tell(chosen: Namespace) -> None:
    """Both attack and defend: one story, written and summed up."""
    attack, defense, seed = _methods(chosen)
    out = _checked_folder(chosen.out, chosen.photo)
    photo = _open(chosen.photo)
    classifier = _load(chosen)
    watched = "target label" if attack and attack.aim == "targeted" else "label to leave"
    with Bar(f"attack {chosen.attack}", quiet=chosen.quiet) as bar:

        def show(report: Report) -> None:
            bar.show(report.done, report.total, f"{watched} {report.probability[0].item():.0%}")

        story = run_story(
            photo,
            classifier,
            attack,
            defense,
            target=chosen.target,
            seed=seed,
            size=chosen.size,
            progress=show,
        )
    report = save_story(out, story)
    if chosen.json:
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        print(_summary(story))
        print(f"Written to {out}: story.json, {len(story.steps)} pictures, their arrays.")


def _methods(chosen: Namespace) -> tuple[Attack | None, Defense | None, int | None]:
    """The methods with their parameters; the seed of the random label where it is not the attack's own."""
    methods: dict[str, type[Parametrised]] = {}
    if chosen.attack is not None:
        methods["attack"] = _named("attack", chosen.attack, ATTACKS)
    if chosen.defense is not None:
        methods["defense"] = _named("defense", chosen.defense, DEFENSES)
    given = given_flags(chosen)
    seed = _take_seed(given, methods)
    texts = texts_for(given, methods)
    attack = defense = None
    if chosen.attack is not None:
        attacking = ATTACKS[chosen.attack]
        if chosen.target is not None and attacking.targeted == "either":
            texts["attack"].setdefault("goal", "targeted")
        attack = attacking(**attacking.parsed(texts["attack"]))
    elif chosen.target is not None:
        raise ValueError("--target is the attack's: give --attack too")
    if chosen.defense is not None:
        defending = DEFENSES[chosen.defense]
        defense = defending(**defending.parsed(texts["defense"]))
    return attack, defense, seed


def _named(role: str, name: str, registry: Registry) -> type[Parametrised]:
    if name not in registry:
        raise ValueError(f"there is no {role} {name!r}, only {', '.join(registry)}")
    return registry[name]


def _take_seed(given: dict[str, str], methods: Mapping[str, type[Parametrised]]) -> int | None:
    """Takes ``--seed`` out of ``given`` where it can only be that of the random label."""
    seeded = {role for role, method in methods.items() if any(p.name == "seed" for p in method.parameters())}
    if "attack" not in methods or "attack" in seeded:
        return None
    flags = ["attack.seed"] if "defense" in seeded else ["attack.seed", "seed"]
    texts = [given.pop(flag) for flag in flags if flag in given]
    return int(_SEED.parse(texts[0])) if texts else None


def _checked_folder(text: str, photo: str) -> Path:
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


def _open(text: str) -> Photo:
    """The photo in the file ``text``, or the gallery's of that name."""
    path = Path(text)
    if not path.exists():
        try:
            return gallery_photo(text)
        except PhotoError:
            names = ", ".join(gallery())
            raise ValueError(f"there is no file {text}, nor a gallery photo of that name ({names})") from None
    if path.is_dir():
        raise ValueError(f"{text} is a folder, not a photo")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"{text} has {path.stat().st_size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:.0f} can be read"
        )
    with path.open("rb") as file:
        return read_photo(file.read(MAX_BYTES + 1), text)  # a pipe tells no size beforehand


def _load(chosen: Namespace) -> Classifier:
    if (chosen.weights is None) != (chosen.labels is None):
        raise ValueError("a classifier of your own needs both --weights and --labels")
    if chosen.weights is not None:
        return own(chosen.classifier, chosen.weights, chosen.labels, device=chosen.device)
    with Bar(f"downloading {chosen.classifier}", quiet=chosen.quiet) as bar:
        return load(
            chosen.classifier,
            device=chosen.device,
            progress=lambda done, total: bar.show(done // 1_000_000, total // 1_000_000, "MB"),
        )


def _summary(story: Story) -> str:
    """The verdict, and how like the clean photo the others are."""
    stages = {"clean": story.clean, "attacked": story.attacked, "defended": story.defended}
    seen = {stage: picture for stage, picture in stages.items() if picture is not None}
    lines = [f"{' → '.join(_first(picture) for picture in seen.values())}: {_verdict(story)}"]
    for stage, picture in seen.items():
        if picture.ssim is not None and picture.psnr is not None:
            likeness = f"SSIM {picture.ssim:.3f}, PSNR {picture.psnr:.1f} dB against the clean photo"
            lines.append(f"{stage}: {likeness if math.isfinite(picture.psnr) else 'the clean photo itself'}")
    return "\n".join(lines)


def _first(picture: Seen) -> str:
    if picture.rejected:
        return f"rejected ({', '.join(picture.votes)})"
    return f"{picture.top[0].label} {picture.top[0].probability:.1%}"


def _verdict(story: Story) -> str:
    """What the attack and the defense did, in words."""
    words = []
    if story.attack is not None:
        if story.attack.aim == "targeted" and story.target is not None:
            reached = story.labels[story.target]
            words.append(f"{reached} reached" if story.success else f"{reached} not reached")
        else:
            words.append("fooled" if story.success else "not fooled")
        if story.success:
            words.append(
                "also after rounding to 8 bits" if story.success_8bit else "not after rounding to 8 bits"
            )
    if story.defended is not None and story.defended.rejected:
        words.append("rejected")
    elif story.attacked is not None and story.attacked.label != story.source and story.defended is not None:
        words.append("restored" if story.restored else "not restored")
    elif story.defended is not None:
        words.append("label kept" if story.restored else "label lost")
    return ", ".join(words)
