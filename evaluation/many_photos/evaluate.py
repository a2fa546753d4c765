"""Many photos through attacks and defenses, into a run's folder: goes on where it was broken off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from attacks import ATTACKS
from classifiers.base import Classifier
from classifiers.device import in_halves, usable_cores
from defenses import DEFENSES, THREATS
from evaluation.many_photos.batch import Batch, Plan, measure
from evaluation.many_photos.causes import FOUND, UNSURE
from evaluation.many_photos.columns import SCHEMA, Cells, PhotoFacts, cells_of, facts_of, unread
from evaluation.many_photos.run_folder import SUMMARY, TABLE, TRUTH, Run
from evaluation.many_photos.summary import COLUMNS, Summary, summarise, summary_table
from evaluation.one_photo.report import method_facts, method_of
from photos import Photo, Source
from story.export import report_json, versions

Progress = Callable[[int, int], None]
"""Called with (done, total) photos of this process's share."""


TRUE_LABEL, PREDICTED = "true label", "predicted label"
"""What an untargeted attack leaves, as a run's settings say; runs that are silent left the predicted one."""
ON_CPU, ELSEWHERE = 16, 128
"""Photos that are computed together where nothing else is said."""


def usual_batch(device: torch.device) -> int:
    """How many photos are computed together on ``device`` where nothing else is said."""
    return ON_CPU if device.type == "cpu" else ELSEWHERE


@dataclass(frozen=True)
class Selection:
    """Which photos, and in which blocks.

    Attributes:
        limit: how many, drawn by ``seed``; None for all.
        seed: of that choice. A smaller limit's photos are among a larger one's.
        batch: photos that are computed together.
        size: working size in px.
    """

    limit: int | None
    seed: int
    batch: int
    size: int

    def blocks(self, total: int) -> list[list[int]]:
        """Numbers of the photos of each block, rising, of ``total``."""
        order = torch.randperm(total, generator=torch.Generator().manual_seed(self.seed))
        numbers: list[int] = order[: self.limit].sort().values.tolist()
        return [numbers[begin : begin + self.batch] for begin in range(0, len(numbers), self.batch)]


@dataclass(frozen=True)
class Share:
    """Which of several processes this one is; it takes every ``world``-th block.

    Attributes:
        rank: its number, from 0.
        world: how many there are.
        local: its number among those on the same machine.
    """

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Share:
        """The share that ``torchrun`` gives a process, by RANK, WORLD_SIZE and LOCAL_RANK; else all.

        Raises:
            ValueError: they are no numbers that fit together.
        """
        texts = [
            environment.get(name, default)
            for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
        ]
        try:
            share = cls(*map(int, texts))
        except ValueError:
            share = cls(-1)
        if not 0 <= share.rank < share.world or share.local < 0:
            raise ValueError("RANK, WORLD_SIZE and LOCAL_RANK must be whole numbers, the rank below the size")
        return share


@dataclass(frozen=True)
class Manners:
    """How a run gives way to others on the same device.

    Attributes:
        turn: makes a context in which the device is the run's alone; one for each block.
        pause: called inside it after every iteration of an attack; what it raises ends the run.
    """

    turn: Callable[[], AbstractContextManager[None]] = nullcontext
    pause: Callable[[], None] | None = None


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A photo, or why there is none."""

    picture: Tensor | None
    digest: str | None
    reason: str | None


def evaluate(
    run: Run,
    source: Source,
    classifier: Classifier,
    plan: Plan,
    selection: Selection,
    share: Share = Share(),
    progress: Progress | None = None,
    manners: Manners = Manners(),
    command: str = "",
) -> Summary | None:
    """Computes what is missing of this process's share; whoever finds nothing missing any more sums up.

    Returns:
        What ``summary.json`` holds; None while rows of other processes are missing.

    Raises:
        ValueError: the folder holds another run, or the classifier has none of the source's labels.
        OSError: the folder cannot be written; what is there stays, and the next call goes on from it.
        torch.OutOfMemoryError: not even one photo fits.
        ClassifierError: the classifier answers with something that is not a number.
    """
    class_numbers = label_numbers(source, classifier)
    begin(run, source, classifier, plan, selection, command)
    blocks = selection.blocks(len(source))
    if not run.merged:
        done = run.done()
        mine = range(share.rank, len(blocks), share.world)
        todo = [block for block in mine if block not in done]
        total = sum(len(blocks[block]) for block in mine)
        ready = total - sum(len(blocks[block]) for block in todo)
        most = selection.batch

        def working(photo: Photo) -> Tensor:
            return photo.working(selection.size, classifier.crop_share)

        with _decoded(source, class_numbers, [blocks[block] for block in todo], working) as decoded:
            for block, photos in zip(todo, decoded, strict=True):
                if progress is not None:
                    progress(ready, total)
                with manners.turn():
                    rows, most = _rows(
                        blocks[block], photos, source, class_numbers, classifier, plan, most, manners.pause
                    )
                run.add(block, rows)
                ready += len(photos)
        if progress is not None:
            progress(ready, total)
        if len(run.done()) < len(blocks) and not run.merged:
            return None
    return _sum_up(run, len(blocks))


def begin(
    run: Run, source: Source, classifier: Classifier, plan: Plan, selection: Selection, command: str = ""
) -> None:
    """Writes ``run.json`` where there is none, with the ``command`` line that began the run.

    Raises:
        ValueError: the folder holds another run.
        OSError: it cannot be written.
    """
    place = Path(source.name)
    named = {"source": str(place.absolute()) if place.exists() else source.name}
    facts = {"command": command or None, **named, "classifier": classifier.name}
    run.begin(settings(source, classifier, plan, selection), facts)


def settings(source: Source, classifier: Classifier, plan: Plan, selection: Selection) -> dict[str, Any]:
    """All that decides the rows."""
    return {
        "photos": len(source),
        "list_sha256": source.digest,
        **asdict(selection),
        "classifier": classifier.identity,
        "crop_share": classifier.crop_share,
        "device": classifier.device.type,
        "attacks": {name: _attack_facts(name, plan) for name in plan.attacks},
        "defenses": {name: method_facts(defense, DEFENSES) for name, defense in plan.defenses.items()},
        "target": None if plan.target is None else classifier.labels[plan.target],
        "target_seed": plan.seed,
        TRUTH: TRUE_LABEL,
        "attack_wrong": plan.attack_wrong,
        "unsure_below": UNSURE,
        "found_from": FOUND,
        "versions": versions(),
    }


def _attack_facts(name: str, plan: Plan) -> dict[str, Any]:
    facts = method_facts(plan.attacks[name], ATTACKS) or {}
    return facts | ({"threat": method_facts(plan.threats[name], THREATS)} if name in plan.threats else {})


def asked(settings: Mapping[str, Any], classifier: Classifier) -> tuple[Plan, Selection]:
    """What a run's settings ask for: ``settings`` the other way.

    Raises:
        ValueError: there is no such method, parameter or label here.
    """
    attacks = {name: method_of(facts, ATTACKS) for name, facts in settings["attacks"].items()}
    defenses = {name: method_of(facts, DEFENSES) for name, facts in settings["defenses"].items()}
    target = None if settings["target"] is None else classifier.index(settings["target"])
    selection = Selection(settings["limit"], settings["seed"], settings["batch"], settings["size"])
    threats = {
        name: method_of(facts["threat"], THREATS)
        for name, facts in settings["attacks"].items()
        if "threat" in facts
    }
    plan = Plan(
        attacks,
        defenses,
        target,
        settings["target_seed"],
        threats,
        attack_wrong=settings.get("attack_wrong", False),
    )
    return plan, selection


def label_numbers(source: Source, classifier: Classifier) -> list[int | None]:
    """The classifier's number for each of the source's classes; None for what it does not know.

    Raises:
        ValueError: it knows none.
    """
    if source.numbered and len(source.classes) == len(classifier.labels):
        return list(range(len(source.classes)))
    numbers = [_number(words, classifier) for words in source.classes]
    if all(number is None for number in numbers):
        named = ", ".join(words[0] for words in source.classes[:5])
        raise ValueError(f"{classifier.name} has none of the labels of {source.name} ({named}, …)")
    return numbers


def _number(words: Sequence[str], classifier: Classifier) -> int | None:
    for word in words:
        try:
            return classifier.index(word)
        except ValueError:
            continue
    return None


@contextmanager
def _decoded(
    source: Source,
    class_numbers: Sequence[int | None],
    blocks: Sequence[Sequence[int]],
    working: Callable[[Photo], Tensor],
) -> Iterator[Iterator[list[_Decoded]]]:
    """The photos of every block, decoded by threads while the device works; two blocks ahead, no more."""

    def decode(number: int) -> _Decoded:
        if class_numbers[source.labels[number]] is None:
            return _Decoded(None, None, f"the classifier has no label {source.label(number)!r}")
        try:
            photo = source.read(number)
            return _Decoded(working(photo), photo.digest, None)
        except OSError as error:
            return _Decoded(None, None, error.strerror or str(error))
        except ValueError as error:
            return _Decoded(None, None, str(error))

    def decode_all() -> Iterator[list[_Decoded]]:
        ahead: deque[list[Future[_Decoded]]] = deque()
        for block in blocks:
            ahead.append([pool.submit(decode, number) for number in block])
            if len(ahead) > 2:
                yield [future.result() for future in ahead.popleft()]
        while ahead:
            yield [future.result() for future in ahead.popleft()]

    pool = ThreadPoolExecutor(min(16, usable_cores() + 1))
    try:
        yield decode_all()
    finally:
        pool.shutdown(cancel_futures=True)


def _rows(
    numbers: Sequence[int],
    photos: Sequence[_Decoded],
    source: Source,
    class_numbers: Sequence[int | None],
    classifier: Classifier,
    plan: Plan,
    most: int,
    pause: Callable[[], None] | None,
) -> tuple[pa.Table, int]:
    """The rows of a block, photo by photo, and how many photos at once fitted into memory."""
    used = [place for place, photo in enumerate(photos) if photo.picture is not None]
    pictures = [photo.picture for photo in photos if photo.picture is not None]
    digests = [photo.digest or "" for photo in photos if photo.picture is not None]
    truth = np.array([class_numbers[source.labels[numbers[place]]] for place in used], dtype=np.int64)

    def compute(part: slice) -> list[dict[str, Cells]]:
        x = torch.cat(pictures[part]).to(classifier.device)
        cells = measure(Batch(x, truth[part], digests[part]), classifier, plan, pause)
        return [cells_of(cell) for cell in cells]

    parts, most = in_halves(len(used), compute, most)
    rows: list[dict[str, Any]] = []
    waiting = iter(
        {name: values[photo] for name, values in cell.items()}
        for part in parts
        for photo in range(len(part[0]["outcome"]))
        for cell in part
    )
    for number, photo in zip(numbers, photos, strict=True):
        own = class_numbers[source.labels[number]]
        label = source.label(number) if own is None else classifier.labels[own]
        facts = facts_of(PhotoFacts(number, source.files[number], photo.digest, label, photo.reason))
        for attack, defense in plan.cells:
            cell = unread(attack, defense) if photo.picture is None else next(waiting)
            rows.append(facts | cell)
    return pa.Table.from_pylist(rows, schema=SCHEMA), most


def _sum_up(run: Run, blocks: int) -> Summary:
    """Merges and counts. Two processes may do so at once: they write the same."""
    try:
        if not run.merged:
            run.merge(blocks)
        summary = summarise(run.rows(COLUMNS))
        run.write(SUMMARY, report_json(summary.json).encode())
        run.write(TABLE, f"{summary_table(summary)}\n".encode())
    except FileNotFoundError:  # the other has written it all, and removed the parts
        if not run.merged:
            raise
        summary = summarise(run.rows(COLUMNS))
    run.tidy()
    return summary
