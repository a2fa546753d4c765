"""A batch's figures are those that Compare has of each photo, and no photo hears of the others."""

import numpy as np
import pytest
import torch

from attacks import ATTACKS
from attacks.base import labels_for
from defenses import DEFENSES, LGS, SLGS, Oblivious, SmoothingVote
from defenses.threats import BPDA
from evaluation.many_photos.batch import Plan, in_halves, measure, random_target
from evaluation.one_photo.compare import compare
from evaluation.one_photo.story import run_story
from explain import Memo, PassingMemo, logits, remembering

FILES = ("a.jpg", "b.jpg", "c.jpg")
LABEL = np.array([0, 1, 2])


@pytest.fixture
def plan():
    attacks = {"pgd": ATTACKS["pgd"](eps=16 / 255), "lavan": ATTACKS["lavan"](iterations=3)}
    return Plan(attacks, {"lgs": LGS(), "slgs": SLGS(saliency="gradient"), "vote": SmoothingVote()})


def test_the_cells_are_those_of_compare(photos, tiny_classifier, plan):
    found = measure(photos, LABEL, FILES, tiny_classifier, plan)
    clean = tiny_classifier(photos)
    assert plan.cells[:5] == [
        ("none", "none"),
        ("none", "lgs"),
        ("none", "slgs"),
        ("none", "vote"),
        ("pgd", "none"),
    ]
    assert all(values.shape == (12, 3) for values in found.values())
    pgd = plan.attacks["pgd"](photos, labels_for(plan.attacks["pgd"], clean), tiny_classifier)
    wanted = torch.tensor([random_target(file, int(y), 5, 0) for file, y in zip(FILES, LABEL, strict=True)])
    lavan = plan.attacks["lavan"](photos, wanted, tiny_classifier)
    for first, pictures in ((0, photos), (4, pgd), (8, lavan)):
        for number in range(3):
            cells = compare(
                photos[number : number + 1], pictures[number : number + 1], tiny_classifier, plan.defenses
            )
            on_attacked = [cell for cell in cells if cell.on == "attacked"]
            for cell, row in zip(on_attacked, range(first, first + 4), strict=True):
                if not cell.seen.rejected:
                    assert found["predicted"][row, number] == tiny_classifier.index(cell.label)
                assert (found["predicted"][row, number] < 0) == cell.seen.rejected
                assert found["probability"][row, number] == pytest.approx(cell.probability, abs=1e-4)
                assert found["ssim"][row, number] == pytest.approx(cell.seen.ssim, abs=1e-4)
                assert found["psnr"][row, number] == pytest.approx(cell.seen.psnr, abs=1e-2)
                assert found["ndcg"][row, number] == pytest.approx(cell.seen.ndcg, abs=1e-3)
                assert found["bare"][row, number] == found["predicted"][first, number]
    assert found["target"][8].tolist() == wanted.tolist()
    assert (found["target"][:8] == -1).all()
    assert np.isnan(found["target_probability"][0]).all()
    assert not np.isnan(found["target_probability"][8:]).any()
    masked = [name for name in ("lgs", "slgs") for _ in range(3)]
    assert (~np.isnan(found["iou"][9:11])).sum() == len(masked)
    assert np.isnan(found["iou"][:9]).all()
    assert np.isnan(found["iou"][11]).all()
    assert found["milliseconds"][0].tolist() == [0, 0, 0]
    assert (found["milliseconds"][1:] > 0).all()


def test_one_who_knows_attacks_each_defense_by_itself(photos, tiny_classifier):
    """As ``run_story`` does it, photo by photo."""
    attack, defenses = ATTACKS["pgd"](eps=16 / 255, iterations=3), {"lgs": LGS(), "vote": SmoothingVote()}
    threats = {"oblivious": Oblivious(), "bpda": BPDA()}
    plan = Plan.under(threats, {"pgd": attack, "noise": ATTACKS["noise"]()}, defenses)
    assert list(plan.attacks) == ["pgd", "pgd/bpda", "noise"]
    assert [plan.knowledge(name) for name in ("none", *plan.attacks)] == [
        "",
        "oblivious",
        "bpda",
        "oblivious",
    ]
    found = measure(photos, LABEL, FILES, tiny_classifier, plan)
    assert found["predicted"].shape == (12, 3)
    assert (found["predicted"][6] == found["predicted"][3]).all()
    for row, defense in ((7, defenses["lgs"]), (8, defenses["vote"])):
        for number in range(3):
            photo = photos[number : number + 1]
            story = run_story(photo, tiny_classifier, attack, defense, threat=threats["bpda"])
            assert found["ssim"][row, number] == pytest.approx(story.defended.ssim, abs=1e-4)
            assert found["bare"][row, number] == int(story.attacked.logits.argmax())
            assert (found["predicted"][row, number] < 0) == story.defended.rejected
            if not story.defended.rejected:
                assert found["predicted"][row, number] == int(story.defended.logits.argmax())


@pytest.mark.parametrize("name", DEFENSES)
def test_where_a_defense_looks_is_one_of_its_steps(photos, tiny_classifier, name):
    defense = DEFENSES[name]()
    names = [step.name for step in defense.steps(photos[:1], tiny_classifier)]
    assert not defense.finds or defense.finds in names


@pytest.mark.parametrize("name", ATTACKS)
def test_no_photo_hears_of_the_others(photos, tiny_classifier, name):
    few = {"iterations": 3} if "iterations" in ATTACKS[name]().values() else {}
    plan = Plan({name: ATTACKS[name](**few)}, {"lgs": LGS()}, seed=4)
    together = measure(photos, LABEL, FILES, tiny_classifier, plan)
    order = [2, 0]
    some = measure(photos[order], LABEL[order], [FILES[n] for n in order], tiny_classifier, plan)
    for column in ("predicted", "target"):
        assert (together[column][:, order] == some[column]).all()
    np.testing.assert_allclose(together["probability"][:, order], some["probability"], atol=1e-4)


def test_a_random_target_is_the_photos_own():
    drawn = [random_target(f"{number}.jpg", 2, 5, 0) for number in range(400)]
    counts = np.bincount(drawn, minlength=5)
    assert counts[2] == 0
    assert counts[[0, 1, 3, 4]].min() > 60
    assert drawn == [random_target(f"{number}.jpg", 2, 5, 0) for number in range(400)]
    assert drawn != [random_target(f"{number}.jpg", 2, 5, 1) for number in range(400)]


@pytest.mark.parametrize(("fits", "parts"), [(9, [7]), (4, [4, 3]), (3, [2, 2, 2, 1]), (1, [1] * 7)])
def test_batches_are_halved_until_they_fit(fits, parts):
    made = []

    def compute(part):
        count = part.stop - part.start
        if count > fits:
            raise torch.OutOfMemoryError("too many")
        made.append(count)
        return {"number": np.arange(part.start, part.stop)[None]}

    columns, most = in_halves(7, compute, 16)
    assert made == parts
    assert columns["number"].tolist() == [list(range(7))]
    assert most <= max(fits, 16 if fits >= 7 else fits)


def test_one_photo_that_does_not_fit_is_an_error():
    def compute(part):
        raise torch.OutOfMemoryError("too many")

    with pytest.raises(torch.OutOfMemoryError):
        in_halves(3, compute, 2)


def test_a_passing_memory_knows_the_same_tensor_only(photos, tiny_classifier):
    passes = []
    hook = tiny_classifier.network.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad(), remembering(PassingMemo(10**7)):
        first = logits(photos, tiny_classifier)
        assert torch.equal(logits(photos, tiny_classifier), first)
        assert len(passes) == 1
        other = photos.clone()
        logits(other, tiny_classifier)
        assert len(passes) == 2
        other[0] = 0
        assert not torch.equal(logits(other, tiny_classifier), first)
        assert len(passes) == 3
    with torch.no_grad(), remembering(Memo(10**7)):
        logits(photos, tiny_classifier)
        logits(photos.clone(), tiny_classifier)
    assert len(passes) == 4
    hook.remove()
