"""The command evaluate as real processes: killed at random moments, and several at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PHOTOS, CELLS, BATCH = 24, 4, 2
# One thread, or the last bits would depend on how many there happen to be.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")} | {
    "OMP_NUM_THREADS": "1"
}

pytestmark = [pytest.mark.long, pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")]


def start(source, out, **environment):
    line = [
        sys.executable,
        "cli.py",
        "evaluate",
        source,
        "--out",
        out,
        "--attack",
        "pgd",
        "--iterations",
        "3",
    ]
    line += ["--defense", "lgs", "--size", "64", "--device", "cpu", "--batch", BATCH, "--quiet"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(list(map(str, line)), cwd=ROOT, env=ENVIRONMENT | environment, **pipes)


def finish(process):
    printed, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (0, "")
    return printed


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(PHOTOS - 1):
        file = folder / ("pizza", "strawberry", "parachute")[number % 3] / f"{number}.jpg"
        file.parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(file)
    (folder / "pizza" / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    return folder


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """The rows of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    text = finish(start(source, out))
    assert "| pgd | lgs |" in text
    return rows(out)


def rows(out):
    table = pq.read_table(out / "photos.parquet").drop(["milliseconds"])
    assert sorted(path.name for path in out.iterdir()) == [
        "photos.parquet",
        "run.json",
        "summary.json",
        "table.md",
    ]
    assert json.loads((out / "summary.json").read_text())["photos"] == PHOTOS
    return table


def parts(out):
    return len(list((out / "parts").glob("*.parquet")))


def test_killed_and_started_again_until_done(source, whole, tmp_path):
    out = tmp_path / "run"
    chance = random.Random(0)
    for killed in range(3):
        process = start(source, out)
        wanted = parts(out) + chance.randint(1, 3)
        while process.poll() is None and parts(out) < wanted and not (out / "photos.parquet").exists():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert (out / "run.json").exists(), f"kill number {killed}"
    finish(start(source, out))
    assert rows(out).equals(whole)
    numbers = whole["number"].to_pylist()
    assert numbers == [number for number in range(PHOTOS) for _ in range(CELLS)]
    assert whole["outcome"].to_pylist().count("unread") == CELLS


def test_two_processes_share_the_work(source, whole, tmp_path):
    out = tmp_path / "run"
    both = [start(source, out, RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank)) for rank in range(2)]
    texts = [finish(process) for process in both]
    assert any("| pgd | lgs |" in text for text in texts)
    assert rows(out).equals(whole)
