"""The parts of ``bench.on_gpu``: lists of cases that one process works off, most important first.

What only one part needs is imported there, so that a package that is missing costs that part alone.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.interleaved import Quartiles, Row
from bench.setting import Found, LeftOut, Setting, photographs

if TYPE_CHECKING:
    from bench.agreement import Check, Subject
    from classifiers import Classifier
    from evaluation.many_photos.batch import Plan
    from photos import Source

AGREEMENT, MOVES, EVALUATION, PEERS, MEMORY, BENCH, ARCHITECTURES = (
    "agreement",
    "moves",
    "evaluation",
    "peers",
    "memory",
    "bench",
    "architectures",
)


@dataclass(frozen=True)
class Order:
    """What is asked of a run.

    Attributes:
        device: that is measured, as PyTorch names it.
        classifier: its name; "" for a small one with random weights.
        others: further built-in classifiers for the agreement.
        architectures: that are tried with random weights.
        side: of the photos that the agreement looks at, px.
        batches: of the bench.
        size: of its photos, px.
        seconds: that each of its cases may take.
        photos: a source of the evaluation's photos; None for made-up ones.
        count: of them.
        together: of them that are computed at once; None for as many as is usual on the device.
    """

    device: str
    classifier: str
    others: tuple[str, ...]
    architectures: tuple[str, ...]
    side: int = 96
    batches: tuple[int, ...] = (1, 16, 256)
    size: int = 224
    seconds: float = 0.5
    photos: str | None = None
    count: int = 500
    together: int | None = None


@dataclass(frozen=True)
class Peak:
    """The most memory that was taken at once.

    Attributes:
        case: what was done.
        batch: photos at once.
        bytes: in all, the weights among them; None where the device does not tell.
        own: of these, what came on top of what was taken before.
    """

    case: str
    batch: int
    bytes: int | None
    own: int | None


@dataclass(frozen=True)
class Failure:
    """What broke off.

    Attributes:
        part, case: where; a part that cannot even begin has no case.
        sentence: the error.
        trace: where in the code; "" where nobody knows.
    """

    part: str
    case: str
    sentence: str
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.part}{self.case and f', {self.case}'}: {self.sentence}"


@dataclass(frozen=True)
class Begun:
    """A case begins: its part's name, its number in the part from 0, and until when the part may go on."""

    part: str
    case: str
    number: int
    until: float


@dataclass(frozen=True)
class Ended:
    """A part is over, ``whole`` where none of its cases was left out for lack of time."""

    part: str
    seconds: float
    whole: bool


@dataclass(frozen=True)
class Circumstances:
    """Where it is measured: the heading of the tables, the device's name, and what JSON has of it."""

    heading: str
    machine: str
    facts: Mapping[str, Any]


if TYPE_CHECKING:
    Result = Found | Check | Peak
    Message = Result | Failure | Begun | Ended | Circumstances


@dataclass(frozen=True)
class Case:
    """A piece of a part that may fail by itself."""

    name: str
    work: Callable[[], Iterable[Result]]


@dataclass(frozen=True)
class Part:
    """What belongs together.

    Attributes:
        share: of the time, beside the other parts' shares.
        cases: made of the order and of what is measured.
    """

    share: float
    cases: Callable[[Order, Setting], Sequence[Case]]


def _agreement(order: Order, setting: Setting) -> list[Case]:
    from bench.agreement import Comparison, looks, methods
    from classifiers import load

    def of(name: str) -> Callable[[torch.device], Classifier]:
        return lambda device: load(name, device=device)

    first = of(order.classifier) if order.classifier else _small()[0]
    name = setting.classifier.name
    comparisons = [Comparison(name, first, [*methods(), *looks()], order.side)]
    comparisons += [Comparison(other, of(other), [*looks()], order.side) for other in order.others]
    # A few at once, so that the time can be kept.
    return [
        Case(f"{some.subjects[0].title} … ({some.classifier})", partial(some.checks, setting.device))
        for comparison in comparisons
        for some in comparison.in_parts(_AT_ONCE)
    ]


_AT_ONCE = 6


def _architectures(order: Order, setting: Setting) -> list[Case]:
    from bench.agreement import Comparison, looks, random_classifier

    def checks(name: str) -> Iterator[Check]:
        make, side = random_classifier(name)
        yield from Comparison(name, make, [*looks(quick=True)], side).checks(setting.device)

    return [Case(name, partial(checks, name)) for name in order.architectures]


def _moves(_order: Order, setting: Setting) -> list[Case]:
    from bench.moving import moves, moving

    return [Case(name, partial(moving, setting, {name: moved})) for name, moved in moves().items()]


def _evaluation(order: Order, setting: Setting) -> list[Case]:
    from attacks.fgsm import FGSM
    from attacks.pgd import PGD
    from defenses import DEFENSES
    from evaluation.many_photos.batch import Plan

    # Photos of noise have no right label: those that count as wrong are attacked too.
    wrong = order.photos is None
    plans = {
        "PGD and SLGS": Plan({"pgd": PGD()}, {"slgs": DEFENSES["slgs"]()}, attack_wrong=wrong),
        "FGSM and all defenses": Plan(
            {"fgsm": FGSM()}, {name: cls() for name, cls in DEFENSES.items()}, attack_wrong=wrong
        ),
    }
    return [Case(name, partial(_evaluated, name, plan, order, setting)) for name, plan in plans.items()]


def _evaluated(name: str, plan: Plan, order: Order, setting: Setting) -> Iterator[Row]:
    """One evaluation after a small one, and its bare passes."""
    from bench.evaluating import LIMIT, PART, write_photos
    from bench.passes import bare, passes_of
    from evaluation.many_photos.evaluate import Selection, evaluate, usual_batch
    from evaluation.many_photos.run_folder import Run
    from photos import open_source

    model = setting.classifier
    batch = order.together or usual_batch(setting.device)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if order.photos is None:
            write_photos(folder / "photos", order.count, 2 * model.working_size, model.labels[0])
        source: Source = open_source(order.photos or str(folder / "photos"))

        def work(count: int, run: str) -> None:
            evaluate(Run(folder / run), source, model, plan, Selection(count, 0, batch, model.working_size))

        work(min(batch, order.count), "before")
        began = setting.clock()
        passes = passes_of(model, partial(work, order.count, "run"))
        took = setting.clock() - began
    if not passes:
        raise ValueError(f"{model.name} was asked about none of the photos: it has no label of theirs")
    again = bare(model, passes)
    began = setting.clock()
    again()
    limit = setting.clock() - began
    case = f"{min(order.count, len(source))} photos by {name}"
    for by, seconds in ((LIMIT[0], limit), ("Unfool", took)):
        over = ", ".join(LIMIT) if by == "Unfool" else ""
        ratio = Quartiles.of([seconds / limit]) if over else None
        yield Row(PART, case, batch, "all", by, Quartiles.of([1000 * seconds]), ratio, over, 1)


def _peers(_order: Order, setting: Setting) -> list[Case]:
    from dataclasses import replace

    from bench.defending import CASES, defending
    from bench.shrinking import shrinking

    patient = replace(setting, longest=4.0, hurried=False)
    cases = {name: CASES[name] for name in _BESIDE_PEERS}
    return [
        Case("wavelets", partial(shrinking, patient)),
        *(Case(name, partial(defending, patient, {name: case})) for name, case in cases.items()),
    ]


_BESIDE_PEERS = ("pixel-deflection", "pixel-deflection, the paper's")


def _memory(_order: Order, setting: Setting) -> list[Case]:
    from bench.agreement import looks, methods

    return [Case(subject.title, partial(_peak, subject, setting)) for subject in (*methods(), *looks())]


def _peak(subject: Subject, setting: Setting) -> Iterator[Peak]:
    """At the largest batch."""
    batch, device = setting.batches[-1], setting.device
    x = photographs(batch, setting.size, device)
    on_gpu = device.type == "cuda"
    before = 0
    if on_gpu:
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
    subject.compute(x, setting.classifier)
    most = torch.cuda.max_memory_allocated(device) if on_gpu else None
    own = None if most is None else most - before
    yield Peak(subject.title, batch, most, own)


def _bench(_order: Order, setting: Setting) -> list[Case]:
    from bench.attacking import attacking, cases
    from bench.classifying import classifying
    from bench.defending import CASES, defending

    return [
        Case("classifier", partial(classifying, setting)),
        *(
            Case(name, partial(defending, setting, {name: case}))
            for name, case in CASES.items()
            if name not in _BESIDE_PEERS
        ),
        *(Case(name, partial(attacking, setting, {name: attack})) for name, attack in cases().items()),
    ]


PARTS: Mapping[str, Part] = {
    AGREEMENT: Part(0.25, _agreement),
    MOVES: Part(0.1, _moves),
    EVALUATION: Part(0.2, _evaluation),
    PEERS: Part(0.08, _peers),
    MEMORY: Part(0.07, _memory),
    BENCH: Part(0.2, _bench),
    ARCHITECTURES: Part(0.1, _architectures),
}
"""By name, the most important first. What a part leaves of its time goes to all that follow."""
NO_TIME = "no time is left"


def until(part: str, ends: float, now: float) -> float:
    """When ``part`` has to end, where it begins ``now`` and everything at ``ends``, in seconds."""
    names = list(PARTS)
    shares = [PARTS[name].share for name in names[names.index(part) :]]
    return now + (ends - now) * shares[0] / sum(shares)


def work(order: Order, parts: Mapping[str, int], ends: float, messages: Connection) -> None:
    """Works off ``parts``, each from the case of that number on, and tells all that it finds.

    It ends early, without having told the end of a part, where the device computes no more.

    Args:
        order: what is asked.
        parts: names of ``PARTS`` in their order, and the number of the first case of each.
        ends: when all has to be over, by ``time.time``.
        messages: gets each ``Message``.
    """
    from bench.agreement import works
    from bench.report import circumstances, heading, machine

    setting = _setting(order)
    messages.send(Circumstances(heading(setting), machine(setting.device), circumstances(setting)))
    for name, first in parts.items():
        began = time.time()
        limit = until(name, ends, began)
        cases: Sequence[Case] = ()
        try:
            cases = PARTS[name].cases(order, setting)
        except Exception as error:  # a package that is missing, say; the other parts can do without
            messages.send(_failure(name, "", error))
        number = first
        for number, case in enumerate(cases[first:], first):
            if time.time() >= limit:
                messages.send(LeftOut(name, ", ".join(left.name for left in cases[number:]), NO_TIME))
                break
            messages.send(Begun(name, case.name, number, limit))
            try:
                for found in case.work():
                    messages.send(found)
            except Exception as error:  # any library's; the other cases are still to be measured
                messages.send(_failure(name, case.name, error))
                if not works(setting.device):
                    return
            if setting.device.type == "cuda":
                torch.cuda.empty_cache()
        else:
            messages.send(Ended(name, time.time() - began, whole=True))
            continue
        messages.send(Ended(name, time.time() - began, whole=False))


def _setting(order: Order) -> Setting:
    from classifiers import load

    device = torch.device(order.device)
    classifier = load(order.classifier, device=device) if order.classifier else _small()[0](device)
    return Setting(classifier, order.batches, order.size, order.seconds, longest=1.0, hurried=True)


def _small() -> tuple[Callable[[torch.device], Classifier], int]:
    from bench.agreement import random_classifier
    from classifiers.own import RESIDUAL

    return random_classifier(RESIDUAL)


def _failure(part: str, case: str, error: Exception) -> Failure:
    sentence = f"{type(error).__name__}: {error}".splitlines()[0]
    return Failure(part, case, sentence, "".join(traceback.format_exception(error)[-12:]))
