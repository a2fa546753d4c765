"""The commands: classify, attack, defend; the others live in modules of their own beside this one."""

from __future__ import annotations

import json
import math
import shlex
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from attacks import ATTACKS, Report
from classifiers import Classifier, builtin_names, default_name, title
from defenses import DEFENSES, THREATS
from evaluation.one_photo.other_draws import TRIALS, over_draws
from evaluation.one_photo.report import photo_facts, ranking, save_story
from evaluation.one_photo.story import Seen, Story, run_story
from explain import logits
from photos.read import LARGEST_SIZE, SMALLEST_SIZE
from terminal.bar import Bar
from terminal.benching import add_bench
from terminal.comparing import tell_comparison, tell_sweep
from terminal.evaluating import EVALUATE, add_evaluation
from terminal.flags import Registries, add_flags, explain_flags
from terminal.inputs import checked_folder, given_methods, loaded, opened

ATTACK: Registries = {"attack": ATTACKS}
DEFEND: Registries = {"defense": DEFENSES, "attack": ATTACKS, "threat": THREATS}
COMPARE: Registries = {
    **{name: {name: cls} for name, cls in DEFENSES.items()},
    "attack": ATTACKS,
    "threat": THREATS,
}
"""Every defense in a role of its own, so that each can have its parameters."""
BATCH = 16
_MOST_TRIALS = 1000
SAME_BUT_UNSURE = "same answer as before, but it was not sure then"
"""Instead of "restored", and of "not fooled"."""
OPTIONS = (
    "attack",
    "defense",
    "threat",
    "trials",
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
_ROLES = {
    "attack": f"attack the photo first: {', '.join(ATTACKS)} (without: the photo as it is)",
    "threat": f"what the attacker knows of the defense: {', '.join(THREATS)} (oblivious by default)",
}
"""What a role that need not be filled is for."""
_FLAGS = """\
Every parameter below is a flag of the method that it stands under. Numbers are in the unit shown; a fraction
such as 8/255 is of the full range. A parameter that the chosen attack and defense share by name is written
--attack.NAME or --defense.NAME, which is always allowed. Without --target an attack that wants a label gets a
random one, fixed by --seed."""
_MANY = """
With several methods a parameter that more than one of them has is written with its method: --lgs.lam."""


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
    given = sys.argv[1:] if arguments is None else list(arguments)
    options, unknown = _parser().parse_known_args(given)
    if unknown:
        raise ValueError(f"{unknown[0]} is not understood here; --help lists what is")
    options.command_line = shlex.join(["python", "cli.py", *given])
    try:
        options.command(options)
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
    what = "set all defenses side by side on one photo"
    one = commands.add_parser("compare", help=what, **_long(what, COMPARE, _MANY))
    _add_comparison_options(one, tell_comparison)
    what = "move one parameter of a defense over its range"
    one = commands.add_parser("sweep", help=what, **_long(what, COMPARE, _MANY))
    one.add_argument("--over", metavar="PARAMETER", required=True, help="the parameter, without dashes")
    _add_comparison_options(one, tell_sweep)
    what = "take many photos through attacks and defenses, and tell where they fail"
    one = commands.add_parser("evaluate", help=what, **_long(what, EVALUATE, _MANY))
    _add_shared_options(one)
    add_evaluation(one, OPTIONS)
    what = "measure speed, side by side with what people would use instead"
    one = commands.add_parser("bench", help=what, description=what, allow_abbrev=False)
    _add_shared_options(one)
    add_bench(one)
    return parser


def _long(what: str, registries: Registries, more: str = "") -> dict[str, Any]:
    """How a command with the flags of ``registries`` explains itself."""
    return {
        "description": what,
        "epilog": f"{_FLAGS}{more}\n\n{explain_flags(registries)}",
        "formatter_class": RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


def _add_story_options(parser: ArgumentParser, registries: Registries) -> None:
    """The options of a command that writes a story; its first role must be filled."""
    parser.add_argument("photo", metavar="PHOTO", help=_PHOTO)
    main = next(iter(registries))
    for role, registry in registries.items():
        text = ", ".join(registry) if role == main else _ROLES[role]
        parser.add_argument(f"--{role}", metavar="NAME", required=role == main, help=text)
    parser.add_argument("--target", metavar="LABEL", help="label that the attack shall reach")
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder for story.json, pictures and arrays"
    )
    _add_shared_options(parser)
    add_flags(parser, registries, OPTIONS)
    if "threat" in registries:
        parser.add_argument(
            "--trials",
            metavar="N",
            type=int,
            default=TRIALS,
            help=f"how often an attacked photo is put to a random defense with other draws ({TRIALS})",
        )
    parser.set_defaults(command=_tell, **{role: None for role in DEFEND if role not in registries})


def _add_comparison_options(parser: ArgumentParser, command: Callable[[Namespace], None]) -> None:
    """The options of a command that sets defenses side by side."""
    parser.add_argument("photo", metavar="PHOTO", help=_PHOTO)
    parser.add_argument(
        "--defense",
        metavar="NAME",
        action="append",
        help=f"may be given several times (all by default): {', '.join(DEFENSES)}",
    )
    for role, text in _ROLES.items():
        parser.add_argument(f"--{role}", metavar="NAME", help=text)
    parser.add_argument("--target", metavar="LABEL", help="label that the attack shall reach")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the table")
    _add_shared_options(parser)
    add_flags(parser, {**COMPARE, "defense": DEFENSES}, (*OPTIONS, "over"))
    parser.set_defaults(command=command)


def _add_shared_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--classifier",
        metavar="NAME",
        default=default_name(),
        help=f"{', '.join(builtin_names())} (the first by default), a torchvision one such as resnet50, "
        "any of timm's such as timm/vit_tiny_patch16_224, or the architecture of --weights",
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


def _classify(options: Namespace) -> None:
    classifier = loaded(options)
    size = classifier.working_size if options.size is None else options.size
    facts, pictures = [], []
    for text in options.photos:
        photo = opened(text)
        facts.append(photo_facts(photo, size, classifier.crop_share))
        pictures.append(photo.working(size, classifier.crop_share))
    lines = []
    with Bar("classifying", quiet=options.quiet or len(pictures) <= BATCH) as bar, torch.no_grad():
        for begin in range(0, len(pictures), BATCH):
            x = torch.cat(pictures[begin : begin + BATCH]).to(classifier.device)
            lines += classifier.top(logits(x, classifier))
            bar.show(len(lines), len(pictures))
    if options.json:
        answers = [
            {
                "photo": fact,
                "classifier": classifier.name,
                "top": ranking(top),
                "sure": top[0].probability >= classifier.sure_from,
            }
            for fact, top in zip(facts, lines, strict=True)
        ]
        print(json.dumps(answers, indent=1, allow_nan=False))
        return
    for fact, top in zip(facts, lines, strict=True):
        unsure = "" if top[0].probability >= classifier.sure_from else ", not sure"
        print(f"{fact['name']} ({fact['width']} × {fact['height']} px){unsure}")
        for line in top:
            print(f"  {line.probability:6.1%}  {line.label}")


def _tell(options: Namespace) -> None:
    """Both attack and defend: one story, written and summed up."""
    attack, defense, threat, seed = given_methods(options)
    trials = _trials(options)
    out = checked_folder(options.out, options.photo)
    photo = opened(options.photo)
    classifier = loaded(options)
    watched = "target label" if attack and attack.aim == "targeted" else "label to leave"
    with Bar(f"attack {options.attack}", quiet=options.quiet) as bar:

        def show(report: Report) -> None:
            bar.show(report.done, report.total, f"{watched} {report.probability[0].item():.0%}")

        story = run_story(
            photo,
            classifier,
            attack,
            defense,
            target=options.target,
            seed=seed,
            size=options.size,
            progress=show,
            threat=threat,
        )
    over = over_draws(story, classifier, trials) if trials else None
    report = save_story(out, story, over, options.command_line)
    if options.json:
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        print(_summary(story, classifier))
        if over is not None:
            low, high = over.interval
            print(
                f"{over.fooled} of {over.count} other draws of the defense fooled "
                f"(95 % interval {low:.0%} to {high:.0%})"
            )
        print(f"Written to {out}: story.json, {len(story.steps)} pictures, their arrays.")


def _trials(options: Namespace) -> int:
    """How many other draws of a random defense are asked."""
    trials: int = getattr(options, "trials", 0)
    if not 0 <= trials <= _MOST_TRIALS:
        raise ValueError(f"--trials must be 0 to {_MOST_TRIALS}; {trials} is not")
    return trials


def _summary(story: Story, classifier: Classifier) -> str:
    """The verdict, what the attacker knew, and how like the clean photo the others are."""
    stages = {"clean": story.clean, "attacked": story.attacked, "defended": story.defended}
    seen = {stage: picture for stage, picture in stages.items() if picture is not None}
    lines = [f"{' → '.join(_first(picture) for picture in seen.values())}: {_verdict(story)}"]
    if not story.clean.is_sure:
        lines.append(
            f"{title(classifier.name)} is not sure of the clean photo: it is sure from "
            f"{classifier.sure_from:.1%} on. Perhaps none of its {len(classifier.labels)} labels fits."
        )
    if story.threat.knows and story.defense is not None:
        lines.append(f"{story.threat.title}: {story.threat.words(story.defense, classifier)}")
    for stage, picture in seen.items():
        if picture.ssim is not None and picture.psnr is not None and picture.ndcg is not None:
            likeness = (
                f"SSIM {picture.ssim:.3f}, PSNR {picture.psnr:.1f} dB, nDCG {picture.ndcg:.3f} "
                "against the clean photo"
            )
            lines.append(f"{stage}: {likeness if math.isfinite(picture.psnr) else 'the clean photo itself'}")
    return "\n".join(lines)


def _first(picture: Seen) -> str:
    if picture.rejected:
        return f"rejected ({', '.join(picture.votes)})"
    unsure = "" if picture.is_sure else "not sure: perhaps "
    return f"{unsure}{picture.top[0].label} {picture.top[0].probability:.1%}"


def _verdict(story: Story) -> str:
    """What the attack and the defense did, in words."""
    words = []
    if story.attack is not None:
        if story.attack.aim == "targeted" and story.target is not None:
            target = story.labels[story.target]
            reached = f"{target} reached" if story.success else f"{target} not reached"
            words.append(f"{target} was there before the attack" if story.had_target else reached)
        else:
            untouched = "not fooled" if story.clean.is_sure else SAME_BUT_UNSURE
            words.append("fooled" if story.success else untouched)
        if story.threat.knows:
            words.append("through the defense")
        if story.success:
            words.append(
                "also after rounding to 8 bits" if story.success_8bit else "not after rounding to 8 bits"
            )
    if story.defended is not None:
        words.append(_defended(story, story.defended))
    return ", ".join(words)


def _defended(story: Story, defended: Seen) -> str:
    """What the defense did, in words; nothing is restored that the classifier was not sure of."""
    answer = defended.answer(story.source)
    was_fooled = story.attacked is not None and story.attacked.label != story.source
    if answer == "rejected":
        return "rejected"
    if answer == "same, unsure before":
        return SAME_BUT_UNSURE
    if answer == "same, unsure now":
        return "same answer as before, but it is not sure now"
    if not defended.was_sure:
        return "another answer, but it was not sure before either"
    if story.threat.knows:
        return "clean label kept" if answer == "same" else "clean label lost"
    if was_fooled:
        return "restored" if answer == "same" else "not restored"
    return "label kept" if answer == "same" else "label lost"
