"""The command that measures speed: bench."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from bench.interleaved import Row
from bench.parts import PARTS, write
from bench.report import heading, report, tables
from bench.setting import LeftOut, Setting
from photos import LARGEST_SIZE, SMALLEST_SIZE
from story.export import report_json
from terminal.bar import Bar
from terminal.inputs import checked_folder, loaded

_ON_CPU, _ON_GPU = (1, 16), (1, 16, 256)
_SIZE, _SECONDS = 224, 2.0


def add_bench(parser: ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument(
        "--only",
        metavar="PART",
        nargs="+",
        action="extend",
        help=f"of {', '.join(PARTS)} (all by default)",
    )
    parser.add_argument(
        "--batch",
        metavar="N",
        nargs="+",
        type=int,
        help="photos at once, rising (1 16, and 256 on a GPU)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=_SECONDS,
        help=f"how long the rounds of each case go on, of which there are at least three ({_SECONDS:g})",
    )
    parser.add_argument("--out", metavar="DIR", help="folder for the tables, JSON and the chart")
    parser.set_defaults(command=tell_bench)


def tell_bench(options: Namespace) -> None:
    """Prints the tables, or JSON, and writes ``bench.json``, ``bench.md`` and ``figure-9.svg``."""
    parts = _parts(options)
    size = _SIZE if options.size is None else options.size
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ValueError(f"--size is {SMALLEST_SIZE} to {LARGEST_SIZE} px, not {size}")
    if not 0 <= options.seconds <= 3600:
        raise ValueError(f"--seconds is 0 to 3600, not {options.seconds:g}")
    if options.batch is not None and (min(options.batch) < 1 or options.batch != sorted(set(options.batch))):
        raise ValueError(
            f"--batch are rising numbers of photos from 1 on, not {' '.join(map(str, options.batch))}"
        )
    out = None if options.out is None else checked_folder(options.out, "")
    classifier = loaded(options)
    on_gpu = classifier.device.type == "cuda"
    setting = Setting(
        classifier, tuple(options.batch or (_ON_GPU if on_gpu else _ON_CPU)), size, options.seconds
    )
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    with Bar("measuring", quiet=options.quiet) as bar:
        for done, name in enumerate(parts):
            bar.show(done, len(parts), name)
            for found in PARTS[name](setting):
                if isinstance(found, Row):
                    rows.append(found)
                    bar.show(done, len(parts), f"{name}: {found.case}, batch {found.batch}")
                else:
                    left_out.append(found)
        bar.show(len(parts), len(parts))
    if options.json:
        print(report_json(report(setting, rows, left_out)), end="")
    else:
        print(f"# {heading(setting)}\n\n{tables(rows, left_out)}")
    if out is not None:
        files = ", ".join(write(Path(out), setting, rows, left_out))
        if not options.json:
            print(f"\nWritten to {out}: {files}.")


def _parts(options: Namespace) -> list[str]:
    """The parts to measure, in their own order."""
    wanted = options.only or list(PARTS)
    unknown = next((name for name in wanted if name not in PARTS), None)
    if unknown is not None:
        raise ValueError(f"there is no part {unknown!r}, only {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]
