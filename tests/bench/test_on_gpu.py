"""The script for the hour with a GPU works the day it is needed: all of it, small, and whatever breaks."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from attacks import ATTACKS
from bench import on_gpu
from bench.device_parts import (
    NO_TIME,
    PARTS,
    Begun,
    Circumstances,
    Ended,
    Failure,
    Order,
    Part,
    Peak,
    until,
    work,
)
from bench.device_report import Findings, slug, summary
from bench.interleaved import Quartiles, Row
from bench.setting import LeftOut
from defenses import DEFENSES
from denoisers import installed
from explain import SALIENCIES, STARTS
from tests.bench.dying import dies

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
ORDER = Order("cpu", "", (), (), side=64, batches=(1, 2), size=64, seconds=0)


def test_dry_every_part_runs(tmp_path):
    said = subprocess.run(
        # With so many minutes that none is missing, however busy the machine is.
        [sys.executable, "-m", "bench.on_gpu", "--dry", "--minutes", "600", "--out", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert all(f"\n{part}" in said.stdout for part in PARTS), said.stdout
    assert len(said.stdout.splitlines()) <= 40
    names = ["bench.json", "bench.md", "figure-9.svg", "on-gpu.json", "on-gpu.md"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == names
    found = json.loads((tmp_path / "out" / "on-gpu.json").read_text(encoding="utf-8"))
    assert found["went_well"]
    assert found["failures"] == []
    assert found["seconds"].keys() == PARTS.keys()
    compared = {(check["registry"], check["name"].partition(" ")[0]) for check in found["checks"]}
    assert compared == {
        *(("attacks", name) for name in ATTACKS),
        *(("defenses", name) for name in DEFENSES),
        *(("gradients of defenses", name) for name in DEFENSES),
        *(("denoisers", name) for name in installed()),
        *(("saliencies", name) for name in SALIENCIES),
        *(("relevance starts", name) for name in STARTS),
        ("classifiers", "logits"),
    }
    rows = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))["rows"]
    parts = {"classifier", "defenses", "wavelets", "attacks", "moves", "evaluation"}
    assert {row["part"] for row in rows} == parts
    assert {row["batch"] for row in rows if row["part"] == "defenses"} == {1, 2}
    assert {row["case"] for row in rows if row["part"] == "defenses"} >= set(DEFENSES)


def test_without_a_gpu_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert on_gpu.main([]) == on_gpu.NO_GPU
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("There is no GPU here")
    assert "--dry" in said.err


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--minutes", "0"]])
def test_what_cannot_be_meant(arguments, capsys):
    assert on_gpu.main(["--dry", *arguments]) == on_gpu.FAILED
    assert len(capsys.readouterr().err.splitlines()) == 1


class Messages(list):
    """Stands for the pipe to the other process."""

    send = list.append


def test_a_case_that_fails_does_not_lose_the_others(monkeypatch):
    from bench.device_parts import Case

    def breaks():
        yield Peak("before", 1, None, None)
        raise RuntimeError("on purpose\nwith more")

    def cannot_begin(order, setting):
        raise ImportError("no package")

    def two(order, setting):
        return [Case("breaks", breaks), Case("works", lambda: [Peak("after", 1, None, None)])]

    monkeypatch.setattr("bench.device_parts.PARTS", {"a": Part(1, cannot_begin), "b": Part(1, two)})
    messages = Messages()
    work(ORDER, {"a": 0, "b": 0}, time.time() + 100, messages)
    where, no_begin, a_ended, _, before, broken, _, after, b_ended = messages
    assert isinstance(where, Circumstances)
    assert str(no_begin) == "a: ImportError: no package"
    assert (a_ended.part, b_ended.part, b_ended.whole) == ("a", "b", True)
    assert (before.case, after.case) == ("before", "after")
    assert str(broken) == "b, breaks: RuntimeError: on purpose"
    assert "in breaks" in broken.trace
    # From a case on, as after the end of another process.
    messages = Messages()
    work(ORDER, {"b": 1}, time.time() + 100, messages)
    assert [type(message) for message in messages] == [Circumstances, Begun, Peak, Ended]


def test_what_no_longer_fits_is_named(monkeypatch):
    from bench.device_parts import Case

    def three(order, setting):
        return [Case(name, lambda: []) for name in ("one", "two", "three")]

    monkeypatch.setattr("bench.device_parts.PARTS", {"a": Part(1, three)})
    messages = Messages()
    work(ORDER, {"a": 1}, time.time() - 1, messages)
    assert messages[1] == LeftOut("a", "two, three", NO_TIME)
    assert not messages[2].whole


def test_the_parts_share_the_time():
    names = list(PARTS)
    assert until(names[-1], ends=100, now=40) == 100
    first, rest = PARTS[names[0]].share, sum(part.share for part in PARTS.values())
    assert until(names[0], ends=100, now=0) == pytest.approx(100 * first / rest)


def test_a_process_that_dies_or_hangs_does_not_lose_the_others(monkeypatch):
    monkeypatch.setattr(on_gpu, "_GRACE", 0.2)
    findings = Findings(8)
    run = on_gpu._Run(findings, ORDER, time.time() + 200, {"moves": 0}, lambda: None, dies)
    assert run._one_process()
    assert run.left == {"moves": 1}
    assert run._one_process()
    assert run.left == {"moves": 2}
    assert [str(failure) for failure in findings.failures] == [
        "moves, first: its process ended with status 3",
        "moves, second: it did not end in its time",
    ]
    assert [peak.case for peak in findings.peaks] == ["first"]
    assert not findings.went_well


def test_the_time_is_over():
    findings = Findings(8)
    on_gpu._Run(findings, ORDER, time.time() - 1, {"moves": 0, "bench": 3}, lambda: None, dies).finish()
    assert [str(one) for one in findings.left_out] == [
        f"moves: everything is left out: {NO_TIME}.",
        f"bench: the rest is left out: {NO_TIME}.",
    ]
    assert findings.cut == {"moves", "bench"}


def test_the_screen_says_what_matters():
    def row(part, case, milliseconds, over="", ratio=None, stage="all"):
        times = Quartiles.of([milliseconds])
        return Row(part, case, 1, stage, "Unfool", times, ratio and Quartiles.of([ratio]), over, 3)

    findings = Findings(8, notes=["2 of 2 packages were installed."])
    findings.where = Circumstances("builtin on NVIDIA H100 PCIe", "NVIDIA H100 PCIe", {})
    findings.add(row("moves", "λ of lgs", 9.1), "moves")
    findings.add(row("moves", "λ of slgs", 17.5), "moves")
    findings.add(Peak("defenses: lgs", 256, 3 * 10**9, 2 * 10**9), "memory")
    for number in range(7):
        findings.add(Failure("bench", f"case {number}", "ValueError: no"), "bench")
    findings.add(LeftOut("bench", "pgd", NO_TIME), "bench")
    findings.cut.add("bench")
    said = summary(findings)
    assert said.startswith("builtin on NVIDIA H100 PCIe: 0.0 of 8 minutes.\n2 of 2 packages were installed.")
    assert "λ under 16 ms: no, up to 17.5; λ of lgs 9.1 ms" in said
    assert "defenses: lgs 2 GB" in said
    assert "bench, case 4: ValueError: no" in said
    assert "bench, case 5" not in said
    assert "and 2 more" in said
    assert f"left out      bench: pgd ({NO_TIME})" in said
    assert slug("NVIDIA H100 PCIe") == "nvidia-h100-pcie"
    assert slug("AMD EPYC, 2 threads") == "amd-epyc-2-threads"
