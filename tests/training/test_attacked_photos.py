"""Attacked photos that are made once."""

import pytest
import torch

from attacks.pgd import PGD
from denoisers import STRENGTHS
from photos import open_source
from training import attacked_photos
from training.attacked_photos import AttackedPhotos, AttackRecipe, Pairs, put_together
from training.labelled_photos import centre_crops


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(attacked_photos, "BLOCK", 3)


@pytest.fixture
def cache(labelled_photos, as_builtin, tmp_path):
    def cache(**options):
        recipe = AttackRecipe(**({"iterations": 2} | options))
        source = open_source(str(labelled_photos / "train"))
        return AttackedPhotos(tmp_path / "cache", recipe, as_builtin, source)

    return cache


def test_strengths_are_spread_evenly():
    assert list(AttackRecipe(each=12).strengths_of(5)) == list(range(12))
    assert [list(AttackRecipe(each=4).strengths_of(photo)) for photo in (0, 1, 5)] == [
        [0, 3, 6, 9],
        [1, 4, 7, 10],
        [2, 5, 8, 11],
    ]
    with pytest.raises(ValueError, match="not 5"):
        AttackRecipe(each=5)


def test_changes_come_back_to_a_hundredth_of_their_eps(cache, as_builtin):
    kept = cache()
    pairs = kept.pairs(100)
    assert len(pairs.labels) == 4
    assert len(pairs) == 48
    x = pairs.photos / 255
    assert torch.equal(pairs.photos, centre_crops(kept.source, 64, 1.0, kept.numbers))
    for strength, eps in enumerate(STRENGTHS):
        attacked = pairs.attacked(strength)
        change = (attacked - x).abs().amax((1, 2, 3))
        assert (change <= eps * 1.001 + 1e-7).all()
        assert (change > eps / 2).all()
        attack = PGD(eps=eps, step=eps * 2 / 3, iterations=2, seed=strength)
        expected = attack.run(x[:3], pairs.labels[:3], as_builtin, frames=0).attacked
        assert (attacked[:3] - expected).abs().max() <= eps / 200 + 1e-7


def test_a_share_of_the_strengths(cache):
    pairs = cache(each=4).pairs(4)
    assert pairs.strengths.bincount(minlength=12).tolist() == [2, 1, 1] * 4
    clean, changes, eps = pairs.at([0, 5])
    assert clean.dtype == torch.uint8
    assert changes.dtype == torch.int8
    assert eps.tolist() == pytest.approx([STRENGTHS[pairs.strengths[number]] for number in (0, 5)])
    assert put_together(clean, changes, eps).shape == (2, 3, 64, 64)
    with pytest.raises(ValueError, match="1 of 4 photos"):
        pairs.attacked(2)


def test_they_are_made_once_and_go_on(cache, monkeypatch):
    whole = cache().pairs(4)
    blocks = sorted(cache().folder.iterdir())
    assert [file.name for file in blocks] == ["00000.safetensors", "00001.safetensors"]
    before = blocks[0].read_bytes()
    blocks[1].unlink()
    calls = []
    run = PGD.run
    monkeypatch.setattr(PGD, "run", lambda self, *x, **y: (calls.append(self), run(self, *x, **y))[1])
    again = cache().pairs(4)
    assert len(calls) == len(STRENGTHS)  # the second block alone
    assert blocks[0].read_bytes() == before
    assert torch.equal(again.attacked(11), whole.attacked(11))
    cache().pairs(4)
    assert len(calls) == len(STRENGTHS)
    cache(seed=1).pairs(1)
    assert len(calls) == 2 * len(STRENGTHS)


def test_a_broken_block_is_not_taken(cache, monkeypatch):
    run = PGD.run

    def breaks(self, *x, **y):
        return run(self, *x, **y) if self.eps < 0.5 else 1 / 0

    monkeypatch.setattr(PGD, "run", breaks)
    with pytest.raises(ZeroDivisionError):
        cache().pairs(4)
    assert list(cache().folder.glob("*.safetensors")) == []
    monkeypatch.setattr(PGD, "run", run)
    assert len(cache().pairs(4)) == 48


def test_time_is_bounded_and_the_first_block_is_always_made(cache):
    assert len(cache().pairs(4, 0.0).labels) == 3
    assert len(cache().pairs(4, 1e9).labels) == 4


def test_labels_that_the_classifier_does_not_know_are_left_out(cache, labelled_photos):
    (labelled_photos / "train" / "apple").rename(labelled_photos / "train" / "zebra")
    pairs = cache().pairs(4)
    assert pairs.labels.tolist() == [1, 1]
    assert isinstance(pairs, Pairs)
