"""The file from which a training goes on."""

import pytest
import torch

from training import checkpoint
from training.checkpoint import Checkpoint

OWNER = {"recipe": {"steps": 3, "widths": (4, 6)}, "classifier": "tiny-0"}


class Counting:
    """The simplest training: a number that grows."""

    def __init__(self):
        self.total = torch.zeros(2)

    def state(self):
        return {"total": self.total, "log": [1.5, None]}

    def load(self, state):
        assert set(state) == {"total", "log"}
        self.total = state["total"]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "new" / "one.pt"


def test_a_training_goes_on_where_it_was_saved(file):
    first = Counting()
    Checkpoint(file, OWNER).resume(first)
    assert first.total.tolist() == [0, 0]
    first.total += 2
    Checkpoint(file, OWNER).save(first.state())
    second = Counting()
    Checkpoint(file, OWNER).resume(second)
    assert second.total.tolist() == [2, 2]
    assert Checkpoint(file, OWNER).read()["log"] == [1.5, None]


def test_nothing_kept_is_nothing_read(file):
    assert Checkpoint(file, OWNER).read() is None


@pytest.mark.parametrize(
    "other",
    [
        OWNER | {"classifier": "tiny-1"},
        OWNER | {"recipe": {"steps": 3, "widths": (4, 7)}},
        OWNER | {"recipe": {"steps": 3}},
        OWNER | {"target": 2},
    ],
)
def test_another_owner_is_refused_in_a_sentence(file, other):
    Checkpoint(file, OWNER).save({"steps": 1})
    with pytest.raises(ValueError) as raised:
        Checkpoint(file, other, "--checkpoints").resume(Counting())
    assert str(raised.value) == (
        f"the checkpoint {file} belongs to another recipe or classifier; give another --checkpoints"
    )


def test_a_killed_save_leaves_the_last_one_whole(file, monkeypatch):
    kept = Checkpoint(file, OWNER)
    kept.save({"steps": 1})

    def killed(state, path):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.save({"steps": 2})
    assert kept.read() == {"steps": 1}


def test_age_is_counted_from_the_last_save(file, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    kept = Checkpoint(file, OWNER)
    now[0] = 130.0
    assert kept.age == 30
    kept.save({})
    now[0] = 135.0
    assert kept.age == 5
