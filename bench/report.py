"""The bench's rows as tables and as JSON."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from bench.installed import DISTRIBUTIONS, is_installed
from bench.interleaved import Quartiles, Row
from bench.setting import LeftOut, Setting
from story.export import versions
from story.table import markdown_table

_CPU = Path("/proc/cpuinfo")


def machine(device: torch.device) -> str:
    """The device by name, and how many threads compute."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    """The processor's name as far as the system tells it."""
    if _CPU.exists():
        for line in _CPU.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def heading(setting: Setting) -> str:
    """Where it was measured, and with which classifier."""
    return f"{setting.classifier.name} on {machine(setting.device)}"


def report(setting: Setting, rows: Sequence[Row], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """Everything, as JSON has it."""
    return with_rows(circumstances(setting), rows, left_out)


def circumstances(setting: Setting) -> dict[str, Any]:
    """Where, with what and how was measured."""
    peers = {peer: metadata.version(package) for peer, package in DISTRIBUTIONS.items() if is_installed(peer)}
    return {
        "machine": machine(setting.device),
        "device": str(setting.device),
        "classifier": setting.classifier.identity,
        "working_size": setting.classifier.working_size,
        "size": setting.size,
        "seconds": setting.seconds,
        "versions": versions() | peers,
    }


def with_rows(facts: Mapping[str, Any], rows: Sequence[Row], left_out: Sequence[LeftOut]) -> dict[str, Any]:
    """``circumstances`` and what was found in them."""
    return {
        **facts,
        "rows": [row.facts() for row in rows],
        "left_out": [{"part": one.part, "what": one.what, "why": one.why} for one in left_out],
    }


def tables(rows: Sequence[Row], left_out: Sequence[LeftOut]) -> str:
    """A table for each part, and a sentence for all that was left out."""
    parts = dict.fromkeys(row.part for row in rows)
    texts = [
        f"## {part}\n\n{markdown_table([_cells(row) for row in rows if row.part == part])}" for part in parts
    ]
    if left_out:
        texts.append("\n".join(f"* {one}" for one in left_out))
    return "\n\n".join(texts)


def _cells(row: Row) -> dict[str, Any]:
    """Medians with the quartiles behind them."""
    cells: dict[str, Any] = {
        "case": row.case,
        "batch": str(row.batch),
        "stage": row.stage,
        "by": row.by,
        "ms": spread(row.milliseconds),
        "times": "" if row.ratio is None else spread(row.ratio),
        "of": row.over,
        "repeats": str(row.repeats),
    }
    if row.part == "app":
        cells["bytes"] = "" if row.bytes is None else f"{row.bytes}"
    return cells


def spread(numbers: Quartiles) -> str:
    """The median, and where the middle half lies: 12.3 (11.9 to 13)."""
    return f"{numbers.median:.3g} ({numbers.low:.3g} to {numbers.high:.3g})"
