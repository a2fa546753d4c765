"""The commands that set defenses side by side: compare, sweep."""

from __future__ import annotations

import csv
import json
import math
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from attacks import ATTACKS, Attack, Report
from classifiers import Classifier
from defenses import DEFENSES, THREATS, Defense, Threat
from evaluation.one_photo.compare import Cell, compare
from evaluation.one_photo.report import flag_facts, story_photo_facts
from evaluation.one_photo.story import Story, run_story
from evaluation.one_photo.sweep import Sweep, points, sweep
from story import Parametrised, Step
from story.export import finite, report_json, versions
from story.render import render, to_png
from story.table import markdown_table
from terminal.bar import Bar
from terminal.flags import given_flags, texts_for
from terminal.inputs import (
    add_threat,
    attack_of,
    checked_folder,
    loaded,
    named,
    opened,
    take_seed,
    threat_of,
)


def tell_comparison(options: Namespace) -> None:
    """Every defense on one photo: ``compare.json``, ``compare.md`` and the results as pictures."""
    attack, defenses, threat, seed = _chosen(options)
    out = checked_folder(options.out, options.photo)
    story, classifier = _attacked(options, attack, seed)
    attacked = None if story.attacked is None else story.attacked.x
    columns = 1 if attacked is None else 2
    through = _through(story, classifier, attack, defenses, threat, quiet=options.quiet)
    cells: list[Cell] = []
    with Bar("comparing", quiet=options.quiet) as bar:
        for cell in compare(story.clean.x, attacked, classifier, defenses, story.target, through):
            cells.append(cell)
            bar.show(len(cells), columns * (len(defenses) + 1), cell.defense)
    report = {
        "command": options.command_line,
        **_facts(story, attack, threat),
        "cells": [_described(cell, defenses) for cell in cells],
        "versions": versions(),
    }
    table = markdown_table([_row(cell) for cell in cells])
    out.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        (out / _file(cell)).write_bytes(to_png(render(Step("result", cell.seen.x, "photo"))))
    (out / "compare.md").write_text(f"{table}\n", encoding="utf-8")
    (out / "compare.json").write_text(report_json(report), encoding="utf-8")
    print(json.dumps(report, indent=1, allow_nan=False) if options.json else table)


def tell_sweep(options: Namespace) -> None:
    """One parameter over its range: ``sweep.json`` and ``sweep.csv``."""
    attack, defenses, threat, seed = _chosen(options)
    if threat.knows:
        raise ValueError("a sweep moves the defense under one attacked photo, so its attacker is oblivious")
    for defense in defenses.values():
        defense.parameter(options.over)
    out = checked_folder(options.out, options.photo)
    story, classifier = _attacked(options, attack, seed)
    x = story.undefended.x
    sweeps: dict[str, Sweep] = {}
    with Bar(f"sweeping {options.over}", quiet=options.quiet) as bar:
        for name, defense in defenses.items():
            sweeps[name] = sweep(x, story.clean.x, classifier, defense, options.over)
            bar.show(len(sweeps), len(defenses), name)
    rows = [row for name, swept in sweeps.items() for row in points(name, swept, story.source, story.target)]
    report = {
        "command": options.command_line,
        **_facts(story, attack, threat),
        "over": options.over,
        "points": rows,
        "versions": versions(),
    }
    out.mkdir(parents=True, exist_ok=True)
    with (out / "sweep.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (out / "sweep.json").write_text(report_json(report), encoding="utf-8")
    print(json.dumps(report, indent=1, allow_nan=False) if options.json else markdown_table(rows))


def _chosen(options: Namespace) -> tuple[Attack | None, dict[str, Defense], Threat, int | None]:
    """Attack, defenses by name and threat, all with their parameters, and the seed of a random label."""
    names = list(dict.fromkeys(options.defense or DEFENSES))
    methods: dict[str, type[Parametrised]] = {name: named("defense", name, DEFENSES) for name in names}
    if options.attack is not None:
        methods["attack"] = named("attack", options.attack, ATTACKS)
    add_threat(options, methods)
    given = given_flags(options)
    if len(names) == 1:
        given = {flag.replace("defense.", f"{names[0]}."): text for flag, text in given.items()}
    seed = take_seed(given, methods)
    texts = texts_for(given, methods)
    attack = attack_of(options, texts.get("attack", {}))
    defenses = {name: DEFENSES[name](**DEFENSES[name].parsed(texts[name])) for name in names}
    return attack, defenses, threat_of(options, texts.get("threat", {})), seed


def _attacked(options: Namespace, attack: Attack | None, seed: int | None) -> tuple[Story, Classifier]:
    """The photo and the classifier, the attack done."""
    photo = opened(options.photo)
    classifier = loaded(options)
    with Bar(f"attack {options.attack}", quiet=options.quiet) as bar:

        def show(report: Report) -> None:
            bar.show(report.done, report.total)

        story = run_story(
            photo, classifier, attack, target=options.target, seed=seed, size=options.size, progress=show
        )
    return story, classifier


def _through(
    story: Story,
    classifier: Classifier,
    attack: Attack | None,
    defenses: Mapping[str, Defense],
    threat: Threat,
    *,
    quiet: bool,
) -> dict[str, Tensor]:
    """Name of a defense -> the photo attacked through it; empty where the attacker is oblivious."""
    if attack is None or not threat.knows:
        return {}
    target = story.target if attack.aim == "targeted" else None
    attacked: dict[str, Tensor] = {}
    with Bar("attacking through each defense", quiet=quiet) as bar:
        for name, defense in defenses.items():
            known = run_story(story.clean.x, classifier, attack, defense, target=target, threat=threat)
            assert known.attacked is not None
            attacked[name] = known.attacked.x
            bar.show(len(attacked), len(defenses), name)
    return attacked


def _facts(story: Story, attack: Attack | None, threat: Threat) -> dict[str, Any]:
    assert story.photo is not None
    method = flag_facts(attack, ATTACKS)
    return {
        "photo": story_photo_facts(story, story.photo),
        "classifier": story.classifier,
        "clean_label": story.labels[story.source],
        "clean_sure": story.clean.is_sure,
        "attack": None
        if method is None
        else {**method, "success": story.success, "threat": flag_facts(threat, THREATS)},
        "target": None if story.target is None else story.labels[story.target],
    }


def _described(cell: Cell, defenses: Mapping[str, Defense]) -> dict[str, Any]:
    facts = flag_facts(defenses.get(cell.defense), DEFENSES)
    return {
        "defense": cell.defense,
        "parameters": None if facts is None else facts["parameters"],
        "on": cell.on,
        "outcome": cell.outcome,
        "label": cell.label or None,
        "sure": cell.seen.is_sure,
        "probability": finite(cell.probability),
        "clean_label": finite(cell.true),
        "target": finite(cell.target),
        "ssim": finite(cell.seen.ssim),
        "psnr": finite(cell.seen.psnr),
        "ndcg": finite(cell.seen.ndcg),
        "seconds": round(cell.seen.seconds, 5),
        "file": _file(cell),
    }


def _row(cell: Cell) -> dict[str, str]:
    """A line of the table."""
    return {
        "defense": cell.defense,
        "photo": cell.on,
        "outcome": cell.outcome,
        "label": (cell.label if cell.seen.is_sure else f"perhaps {cell.label}") if cell.label else "–",
        "probability": f"{cell.probability:.1%}",
        "clean label": f"{cell.true:.1%}",
        "SSIM": f"{cell.seen.ssim:.3f}",
        "PSNR": "∞" if cell.seen.psnr == math.inf else f"{cell.seen.psnr:.1f}",
        "nDCG": f"{cell.seen.ndcg:.3f}",
        "ms": f"{1000 * cell.seen.seconds:.0f}",
    }


def _file(cell: Cell) -> str:
    return f"{cell.defense}-{cell.on}.png"
