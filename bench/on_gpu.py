"""All that only a GPU can tell, as one command for the rare hour in which one is at hand.

``python -m bench.on_gpu`` compares every registry with the CPU, times what the bench times, and writes
``docs/bench/<device>/``.
The parts run in a process of their own, which a new one replaces where it dies or hangs: what was found
before is kept, and the other parts go on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.installing import install, lacking

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from bench.device_parts import Begun, Message, Order
    from bench.device_report import Findings

FOLDER = Path(__file__).parents[1] / "docs" / "bench"
WENT_WELL, FAILED, NO_GPU = 0, 1, 2
"""Exit statuses."""
MINUTES = 8.0
_GRACE = 20.0
"""Seconds that a case may go on after its part's time before its process is ended."""
_LAST = 5.0
"""Seconds kept for the report."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts, prints the summary, and gives the exit status."""
    began = time.time()
    options = _parser().parse_args(arguments)
    if options.minutes <= 0:
        print("--minutes is a number over 0.", file=sys.stderr)
        return FAILED
    notes = []
    if options.install is not None:
        notes.append(install(Path(options.install) if options.install else None))
    missing = lacking()
    if missing:
        notes.append(f"Not installed: {', '.join(missing)}. --install brings them.")
    try:
        import torch

        from bench.device_parts import PARTS, work
        from bench.device_report import Findings, summary
    except ImportError as error:
        print(f"{error}. {' '.join(notes)}", file=sys.stderr)
        return FAILED
    if not options.dry and not torch.cuda.is_available():
        print(
            f"There is no GPU here that PyTorch {torch.__version__} sees. "
            "With --dry every part runs small on the CPU.",
            file=sys.stderr,
        )
        return NO_GPU
    wanted = options.only or list(PARTS)
    unknown = next((name for name in wanted if name not in PARTS), None)
    if unknown is not None:
        print(f"There is no part {unknown!r}, only {', '.join(PARTS)}.", file=sys.stderr)
        return FAILED
    findings = Findings(options.minutes, notes, began)
    folder = Path(options.out) if options.out else None

    def save() -> str:
        return _written(findings, folder, dry=options.dry)

    left = {name: 0 for name in PARTS if name in wanted}
    _Run(findings, _order(options), began + 60 * options.minutes - _LAST, left, save, work).finish()
    print(f"{summary(findings)}\n\n{save()}")
    return WENT_WELL if findings.went_well else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.on_gpu", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="every part small, the CPU against itself")
    parser.add_argument("--photos", metavar="SOURCE", help="of the evaluation (made-up ones by default)")
    parser.add_argument(
        "--minutes",
        metavar="M",
        type=float,
        default=MINUTES,
        help=f"for everything ({MINUTES:g}); what does not fit any more is left out, and named",
    )
    parser.add_argument("--only", metavar="PART", nargs="+", help="these parts alone")
    parser.add_argument("--classifier", metavar="NAME", help="which is asked (the app's default)")
    parser.add_argument(
        "--out", metavar="DIR", help="folder for the tables (docs/bench/<device>; none if dry)"
    )
    parser.add_argument(
        "--install",
        metavar="WHEELS",
        nargs="?",
        const="",
        help="first installs what requirements.txt names and is missing; from a folder of wheels, no network",
    )
    return parser


def _order(options: argparse.Namespace) -> Order:
    from bench.device_parts import Order
    from classifiers import architectures, builtin_names, default_name
    from classifiers.own import RESIDUAL
    from classifiers.timm_zoo import OFFERED

    if options.dry:
        return Order(
            device="cpu",
            classifier=options.classifier or "",
            others=(),
            architectures=("squeezenet1_1",),
            side=64,
            batches=(1, 2),
            size=64,
            seconds=0,
            photos=options.photos,
            count=4,
            together=2,
        )
    classifier = options.classifier or default_name()
    return Order(
        device="cuda",
        classifier=classifier,
        others=tuple(name for name in builtin_names() if name != classifier),
        # Those that attend first: they have the least in common with the built-in ones.
        architectures=(*OFFERED, *(name for name in architectures() if name not in (RESIDUAL, *OFFERED))),
        photos=options.photos,
    )


@dataclass
class _Run:
    """The parts at work in a process, and in another one where that dies or hangs.

    Attributes:
        findings: get all that is found.
        order: what is asked.
        ends: when all has to be over, by ``time.time``.
        left: the parts that have not ended, in their order, and the number of each one's next case.
        save: called after every part.
        work: what the process does, as ``bench.device_parts.work``.
    """

    findings: Findings
    order: Order
    ends: float
    left: dict[str, int]
    save: Callable[[], object]
    work: Callable[[Order, Mapping[str, int], float, Connection], None]
    begun: Begun | None = None
    since: float = 0.0

    def finish(self) -> None:
        """Goes on until nothing is left, or no time."""
        from bench.device_parts import NO_TIME
        from bench.setting import LeftOut

        while self.left and time.time() < self.ends:
            if not self._one_process():
                break
        for name, number in self.left.items():
            self.findings.add(LeftOut(name, "the rest" if number else "everything", NO_TIME), name)
            self.findings.cut.add(name)

    def _one_process(self) -> bool:
        """What one process does of what is left; whether another one may do more."""
        from bench.device_parts import Failure

        self.begun = None
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=self.work, args=(self.order, self.left, self.ends, theirs), daemon=True
        )
        process.start()
        theirs.close()  # else its end would never be heard of
        died = ""
        try:
            while self.left and ours.poll(max(0.0, self._patience() - time.time())):
                self._keep(ours.recv())
        except EOFError:
            process.join()
            died = f"its process ended with status {process.exitcode}"
        finally:
            process.kill()
            process.join()
            ours.close()
        begun: Begun | None = self.begun  # which _keep has set
        if begun is not None:
            self._count(begun.part, time.time() - self.since)
            self._lose(begun, died)
        elif self.left:
            self.findings.add(Failure("beginning", "", died or "it did not end in its time"), "")
        return begun is not None

    def _lose(self, begun: Begun, died: str) -> None:
        """Notes that a case did not end, because its process ``died`` or ("") was ended."""
        from bench.device_parts import Failure
        from bench.setting import LeftOut

        if (begun.part, begun.case) in {(one.part, one.case) for one in self.findings.failures}:
            return  # it has told itself what broke it off, and that the device computes no more
        if died or time.time() < self.ends:
            failure = Failure(begun.part, begun.case, died or "it did not end in its time")
            self.findings.add(failure, begun.part)
        else:
            late = LeftOut(begun.part, begun.case, "it was under way when the time was over")
            self.findings.add(late, begun.part)

    def _keep(self, message: Message) -> None:
        from bench.device_parts import Begun, Circumstances, Ended

        match message:
            case Circumstances():
                self.findings.where = message
            case Begun():
                if self.begun is None:
                    self.since = time.time()
                self.begun = message
                self.left[message.part] = message.number + 1
                print(f"{message.part}: {message.case}", file=sys.stderr, flush=True)
            case Ended():
                del self.left[message.part]
                self._count(message.part, message.seconds)
                if not message.whole:
                    self.findings.cut.add(message.part)
                self.begun = None
                self.save()
            case _:
                self.findings.add(message, self.begun.part if self.begun else "")

    def _count(self, part: str, seconds: float) -> None:
        self.findings.seconds[part] = self.findings.seconds.get(part, 0) + seconds

    def _patience(self) -> float:
        """Until when the process may be silent."""
        return self.ends if self.begun is None else min(self.ends, self.begun.until + _GRACE)


def _written(findings: Findings, folder: Path | None, *, dry: bool) -> str:
    """Writes the report, and says where it is in a sentence."""
    from bench.device_report import slug, write

    if findings.where is None:
        return "Nothing was written: the device never answered."
    if folder is None:
        if dry:
            return "Nothing was written: --out names a folder."
        folder = FOLDER / slug(findings.where.machine)
    return f"Written to {folder}: {', '.join(write(folder, findings))}."


if __name__ == "__main__":
    sys.exit(main())
