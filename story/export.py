"""A story as files: every map as a lossless picture and as numbers, and one report of it all.

The same story always gives the same bytes.
"""

from __future__ import annotations

import io
import json
import math
import platform
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from story.render import render, to_png
from story.step import Step

REPORT = "story.json"
STEPS = "steps.npz"
ATTACKED = "attacked.npz"
_PICTURE = re.compile(r"\d\d-[a-z0-9-]+\.png")
_PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scikit-image", "zennit")


def file_name(index: int, step: Step) -> str:
    """Name of the picture of the step at ``index``, counted from 0: "03-smoothing-weight.png"."""
    words = re.sub(r"[^a-z0-9]+", "-", step.name.lower()).strip("-")
    return f"{index:02d}-{words}.png"


def is_output(name: str) -> bool:
    """Whether a story may write a file called ``name``."""
    return name in (REPORT, STEPS, ATTACKED) or _PICTURE.fullmatch(name) is not None


def describe(step: Step, index: int) -> dict[str, Any]:
    """The step at ``index`` in the report; min, max and mean are of all channels of the first photo's map."""
    values = step.map[0].detach().double()
    return {
        "index": index,
        "name": step.name,
        "kind": step.kind,
        "file": file_name(index, step),
        "min": finite(values.min().item()),
        "max": finite(values.max().item()),
        "mean": finite(values.mean().item()),
    }


def finite(value: float | None) -> float | None:
    """``value``, or None where JSON has no word for it (infinite, not a number)."""
    return value if value is not None and math.isfinite(value) else None


def steps_npz(steps: Sequence[Step]) -> bytes:
    """The first photo's maps as an NPZ file: step name -> float32 (C, H, W)."""
    return _npz({step.name: step.map[0] for step in steps})


def attacked_npz(x: Tensor, attacked: Tensor, mask: Tensor | None) -> bytes:
    """The first photo before and after an attack as an NPZ file of float32 arrays.

    ``photo`` and ``attacked`` are (3, H, W) in [0, 1]; ``mask`` is (1, H, W), 1 where the attack may write,
    which is everywhere for an attack without a mask.
    """
    everywhere = torch.ones_like(x[0, :1])
    return _npz({"photo": x[0], "attacked": attacked[0], "mask": everywhere if mask is None else mask[0]})


def patch_npz(pixels: Tensor, share: float, target: str | None) -> bytes:
    """A patch as an NPZ file: ``patch`` (3, S, S) float32 in [0, 1], its ``share`` of the photo, ``target``.

    ``target`` is left out where nobody knows it.
    """
    arrays: dict[str, Any] = {"patch": pixels.detach().cpu().float().numpy(), "share": np.array(share)}
    if target is not None:
        arrays["target"] = np.array(target)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _npz(arrays: Mapping[str, Tensor]) -> bytes:
    file = io.BytesIO()
    named: dict[str, Any] = {name: array.detach().cpu().float().numpy() for name, array in arrays.items()}
    np.savez_compressed(file, **named)
    return file.getvalue()


def report_json(report: Mapping[str, Any]) -> str:
    """``report`` as strict JSON, readable.

    Raises:
        ValueError: a number that JSON cannot hold.
    """
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def versions() -> dict[str, str]:
    """What computed it: this app, Python and the packages that decide numbers."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    versions = {project["name"]: project["version"], "python": platform.python_version()}
    return versions | {package: metadata.version(package) for package in _PACKAGES}


def write_story(
    folder: Path, report: Mapping[str, Any], steps: Sequence[Step], attacked: bytes | None
) -> None:
    """Writes ``story.json``, the pictures, ``steps.npz`` and, after an attack, ``attacked.npz``.

    An earlier story in ``folder`` goes first, as far as its report names its files; nothing else is touched.
    The report comes last, so where it stands the story is complete.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _forget(folder)
    for index, step in enumerate(steps):
        (folder / file_name(index, step)).write_bytes(to_png(render(step)))
    (folder / STEPS).write_bytes(steps_npz(steps))
    if attacked is not None:
        (folder / ATTACKED).write_bytes(attacked)
    (folder / REPORT).write_text(report_json(report), encoding="utf-8")


def _forget(folder: Path) -> None:
    """Removes the story that stands in ``folder``."""
    try:
        earlier = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        names = [str(step["file"]) for step in earlier["steps"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return
    for name in [*names, STEPS, ATTACKED, REPORT]:
        if is_output(name):
            (folder / name).unlink(missing_ok=True)
