import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from classifiers import ClassifierError, available_devices, device, pick_device
from classifiers.device import in_halves, out_of_memory

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _same_threads_afterwards():
    before = torch.get_num_threads()
    device._set_threads.cache_clear()
    yield
    torch.set_num_threads(before)
    device._set_threads.cache_clear()


def machine(monkeypatch, *, cuda=0, mps=False):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("available", "expected"),
    [({"cuda": 2, "mps": True}, "cuda"), ({"mps": True}, "mps"), ({}, "cpu")],
)
def test_the_fastest_is_picked(monkeypatch, available, expected):
    machine(monkeypatch, **available)
    assert pick_device() == torch.device(expected)
    assert pick_device("cpu") == torch.device("cpu")


def test_one_of_several_can_be_named(monkeypatch):
    machine(monkeypatch, cuda=2)
    assert available_devices() == ("cuda", "cpu")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    assert pick_device(torch.device("cuda")) == torch.device("cuda")


@pytest.mark.parametrize("name", ["cuda", "cuda:7", "mps", "meta", "tpu", "", "cpu:x"])
def test_devices_that_are_not_here_are_refused_with_those_that_are(monkeypatch, name):
    machine(monkeypatch)
    with pytest.raises(ClassifierError, match=f"no device {name!r}; it has cpu$"):
        pick_device(name)


def test_threads_are_set_once(monkeypatch):
    calls = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    pick_device("cpu")
    pick_device("cpu")
    assert calls == [device.usable_cores()]


def test_the_environment_decides_about_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(torch, "set_num_threads", lambda _: pytest.fail("overruled the environment"))
    pick_device("cpu")


def test_the_tests_themselves_keep_their_threads():
    """Or several processes of tests with all cores each would wait for each other."""
    pick_device("cpu")
    assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"])


@pytest.mark.parametrize(
    ("quota", "expected"), [("150000 100000", 2), ("10000 100000", 1), ("max 100000", 4), (None, 4)]
)
def test_a_containers_share_of_the_cores_counts(monkeypatch, tmp_path, quota, expected):
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(device, "_QUOTA", tmp_path / "cpu.max")
    if quota:
        (tmp_path / "cpu.max").write_text(quota)
    assert device.usable_cores() == expected


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
def test_the_memory_of_a_freed_tensor_is_not_fetched_again():
    script = """
import resource, sys, torch
from classifiers import pick_device
torch.set_num_threads(1)
if sys.argv[1] == "picked":
    pick_device("cpu")
def pages_fetched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(7_500_000) for _ in range(10)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
pages_fetched()
print(pages_fetched())
"""

    def fetched(case):
        line = [sys.executable, "-c", script, case]
        return int(subprocess.run(line, cwd=ROOT, capture_output=True, check=True).stdout)

    # The heap lies elsewhere in each process, and in some of them half is fetched again.
    most = fetched("not") / 2
    assert any(fetched("picked") < most for _ in range(5))


@pytest.mark.parametrize(("fits", "parts"), [(9, [7]), (4, [4, 3]), (3, [2, 2, 2, 1]), (1, [1] * 7)])
def test_batches_are_halved_until_they_fit(fits, parts):
    made = []

    def compute(part):
        count = part.stop - part.start
        if count > fits:
            raise torch.OutOfMemoryError("too many")
        made.append(count)
        return list(range(part.start, part.stop))

    results, most = in_halves(7, compute, 16)
    assert made == parts
    assert [number for result in results for number in result] == list(range(7))
    assert most <= max(fits, 16 if fits >= 7 else fits)


def test_one_photo_that_does_not_fit_is_an_error():
    def compute(part):
        raise torch.OutOfMemoryError("too many")

    with pytest.raises(torch.OutOfMemoryError):
        in_halves(3, compute, 2)


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes do not fit"), False),
        (ValueError("alloc"), False),
    ],
)
def test_what_says_that_the_memory_did_not_suffice(error, known):
    assert out_of_memory(error) == known


def test_another_error_is_not_tried_in_halves():
    def compute(part):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        in_halves(4, compute, 4)
