"""A story as ``story.json`` and the files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attacks import ATTACKS
from classifiers.base import Prediction
from defenses import DEFENSES, THREATS
from evaluation.one_photo.other_draws import OverDraws
from evaluation.one_photo.story import Seen, Story
from photos import Photo
from story import Parameter, Parametrised
from story.export import attacked_npz, describe, finite, versions, write_story
from story.param import Value

Method = TypeVar("Method", bound=Parametrised)


def report(story: Story, over: OverDraws | None = None, command: str = "") -> dict[str, Any]:
    """What ``story.json`` holds; every number is one that JSON can hold.

    Parameters are in the units of the flags, so that giving them on the command line is the attack again. The
    infinite ``psnr`` of two pictures that are the same is null.

    Args:
        story: what is reported.
        over: what became of the attacked photo with other draws of a random defense.
        command: the command line that made it.
    """
    return {
        "command": command or None,
        "photo": None if story.photo is None else story_photo_facts(story, story.photo),
        "classifier": story.classifier,
        "clean": _seen(story.clean),
        "attacked": _seen(story.attacked),
        "defended": _seen(story.defended),
        "attack": _attack(story, over),
        "defense": flag_facts(story.defense, DEFENSES),
        "steps": [describe(step, index) for index, step in enumerate(story.steps)],
        "device": str(story.clean.x.device),
        "seconds": {name: round(seconds, 4) for name, seconds in story.seconds.items()},
        "versions": versions(),
    }


def save_story(
    folder: Path, story: Story, over: OverDraws | None = None, command: str = ""
) -> dict[str, Any]:
    """Writes the story's report, pictures and arrays into ``folder`` and gives the report.

    Raises:
        OSError: the folder cannot be made or written.
    """
    facts = report(story, over, command)
    write_story(folder, facts, story.steps, attacked_arrays(story))
    return facts


def attacked_arrays(story: Story) -> bytes | None:
    """The bytes of ``attacked.npz``; None without an attack."""
    if story.trace is None or story.attacked is None:
        return None
    return attacked_npz(story.clean.x, story.attacked.x, story.trace.mask)


def story_photo_facts(story: Story, photo: Photo) -> dict[str, Any]:
    """``photo_facts`` of the story's own photo."""
    return photo_facts(photo, story.clean.x.shape[-1], story.crop_share)


def photo_facts(photo: Photo, size: int, crop_share: float) -> dict[str, Any]:
    """The file's digest, its upright size, and what of it the classifier gets at working size ``size``."""
    return {
        "name": photo.name,
        "sha256": photo.digest,
        "height": photo.height,
        "width": photo.width,
        "working_size": size,
        "crop": list(photo.crop_box(size, crop_share)),
    }


def ranking(top: Sequence[Prediction]) -> list[dict[str, Any]]:
    """The likeliest labels with their probabilities."""
    return [{"label": line.label, "probability": finite(line.probability)} for line in top]


def _seen(seen: Seen | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    facts: dict[str, Any] = {
        "top": ranking(seen.top),
        "sure": seen.is_sure,
        "ssim": finite(seen.ssim),
        "psnr": finite(seen.psnr),
        "ndcg": finite(seen.ndcg),
    }
    if seen.outcome is not None:
        facts |= {"outcome": seen.outcome, "votes": list(seen.votes)}
    return facts


def _attack(story: Story, over: OverDraws | None) -> dict[str, Any] | None:
    method = flag_facts(story.attack, ATTACKS)
    if method is None or story.trace is None:
        return None
    return {
        **method,
        "source": story.labels[story.source],
        "target": None if story.target is None else story.labels[story.target],
        "success": story.success,
        "success_8bit": story.success_8bit,
        "iterations": story.trace.iterations,
        "threat": flag_facts(story.threat, THREATS),
        "over_draws": None if over is None else _draws(over),
    }


def _draws(over: OverDraws) -> dict[str, Any]:
    low, high = over.interval
    return {
        "draws": over.count,
        "success": over.fooled,
        "clean_label": over.right,
        "rejected": over.rejected,
        "success_low": round(low, 6),
        "success_high": round(high, 6),
    }


def flag_facts(
    method: Parametrised | None, registry: Mapping[str, type[Parametrised]]
) -> dict[str, Any] | None:
    """Name in ``registry``, and parameters in the units of the flags, with the units of those that have one.

    A number that only a fraction gives exactly is that fraction as text.
    """
    facts = method_facts(method, registry)
    if method is None or facts is None:
        return None
    values = facts["parameters"]
    flags = {parameter.name: _flag(parameter, values[parameter.name]) for parameter in method.parameters()}
    units = {parameter.name: parameter.unit for parameter in method.parameters() if parameter.unit}
    return {"name": facts["name"], "parameters": flags, **({"units": units} if units else {})}


def _flag(parameter: Parameter, value: Value) -> Value:
    if isinstance(value, bool | str):
        return value
    text = parameter.flag(value)
    return text if "/" in text else parameter.type(float(text))


def method_facts(
    method: Parametrised | None, registry: Mapping[str, type[Parametrised]]
) -> dict[str, Any] | None:
    """Name in ``registry``, and parameters in the units of the code, as ``method_of`` takes them.

    A method that is in none goes by its title.
    """
    if method is None:
        return None
    names = [name for name, cls in registry.items() if cls is type(method)]
    return {"name": names[0] if names else method.title, "parameters": method.values()}


def method_of(facts: Mapping[str, Any], registry: Mapping[str, type[Method]]) -> Method:
    """The method that ``method_facts`` told of.

    Raises:
        ValueError: none of that name, or with such parameters.
    """
    name, parameters = facts["name"], facts["parameters"]
    if name not in registry:
        raise ValueError(f"there is no method {name} here, only {', '.join(registry)}")
    unknown = parameters.keys() - {parameter.name for parameter in registry[name].parameters()}
    if unknown:
        raise ValueError(f"{name} has no parameter {', '.join(sorted(unknown))} here")
    return registry[name](**parameters)
