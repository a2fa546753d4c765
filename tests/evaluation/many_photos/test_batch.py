"""A batch's figures are those that Compare has of each photo, and no photo hears of the others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from attacks import ATTACKS
from attacks.labels import random_target
from classifiers.base import ClassifierError
from defenses import DEFENSES, LGS, SLGS, Oblivious, SmoothingVote
from defenses.threats import BPDA
from evaluation.many_photos.batch import Batch, Plan, measure
from evaluation.one_photo.compare import compare
from evaluation.one_photo.story import run_story
from explain import Memo, PassingMemo, logits, remembering

DIGESTS = ("a", "b", "c")
FIGURES = ("probability", "label_probability", "target_probability", "ssim", "psnr", "ndcg", "iou")


@pytest.fixture
def plan():
    attacks = {"pgd": ATTACKS["pgd"](eps=16 / 255), "lavan": ATTACKS["lavan"](iterations=3)}
    return Plan(attacks, {"lgs": LGS(), "slgs": SLGS(saliency="gradient"), "vote": SmoothingVote()})


@pytest.fixture
def truth(photos, tiny_classifier):
    """What the classifier says of the first two photos, and something else of the third."""
    predicted = tiny_classifier(photos).argmax(1)
    predicted[2] = (predicted[2] + 1) % 5
    return predicted.numpy()


def by_cell(plan, figures):
    assert [(cell.attack, cell.defense) for cell in figures] == plan.cells
    return {(cell.attack, cell.defense): cell for cell in figures}


def test_the_cells_are_those_of_compare(photos, truth, tiny_classifier, plan):
    cells = by_cell(plan, measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan))
    assert list(cells)[:5] == [
        ("none", "none"),
        ("none", "lgs"),
        ("none", "slgs"),
        ("none", "vote"),
        ("pgd", "none"),
    ]
    pgd = plan.attacks["pgd"](photos, torch.from_numpy(truth), tiny_classifier)
    wanted = torch.tensor(
        [random_target(digest, 5, 0, (int(y),)) for digest, y in zip(DIGESTS, truth, strict=True)]
    )
    lavan = plan.attacks["lavan"](photos, wanted, tiny_classifier)
    for attack, pictures in (("none", photos), ("pgd", pgd), ("lavan", lavan)):
        for number in range(3):
            one = slice(number, number + 1)
            for expected in compare(photos[one], pictures[one], tiny_classifier, plan.defenses):
                cell = cells[attack, expected.defense]
                if expected.on == "clean" or not cell.counted[number]:
                    continue
                assert (cell.predicted[number] < 0) == expected.seen.rejected
                if not expected.seen.rejected:
                    assert tiny_classifier.labels[cell.predicted[number]] == expected.label
                assert cell.probability[number] == pytest.approx(expected.probability, abs=1e-4)
                assert cell.ssim[number] == pytest.approx(expected.seen.ssim, abs=1e-4)
                assert cell.psnr[number] == pytest.approx(expected.seen.psnr, abs=1e-2)
                assert cell.ndcg[number] == pytest.approx(expected.seen.ndcg, abs=1e-3)
                assert cell.bare[number] == int(tiny_classifier(pictures[one]).argmax())
    for (attack, defense), cell in cells.items():
        aimed, counted = attack == "lavan", cell.counted
        assert counted.any()
        assert cell.target.tolist() == (wanted.tolist() if aimed else [-1] * 3)
        assert (~np.isnan(cell.target_probability)).tolist() == (counted & aimed).tolist()
        overlaps = aimed and defense in ("lgs", "slgs")
        assert (~np.isnan(cell.iou)).tolist() == (counted & overlaps).tolist()
        assert (cell.milliseconds[counted] > 0).all() == ((attack, defense) != ("none", "none"))


def test_a_photo_that_is_wrong_before_the_attack_counts_as_wrong(photos, truth, tiny_classifier, plan):
    """Wrong in the cell's own way: for the classifier alone, or behind the cell's defense."""
    cells = by_cell(plan, measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan))
    assert cells["none", "none"].predicted.tolist() == tiny_classifier(photos).argmax(1).tolist()
    for (attack, defense), cell in cells.items():
        before = cells["none", defense]
        right = before.predicted == truth
        assert cell.attacked.tolist() == (right & (attack != "none")).tolist()
        assert cell.counted.tolist() == (right | (attack == "none")).tolist()
        for number in np.flatnonzero(~cell.counted):
            assert cell.predicted[number] == before.predicted[number]
            assert cell.outcomes()[number] == before.outcomes()[number] in ("wrong", "rejected")
            assert cell.causes()[number] == before.causes()[number] != ""
            assert [cell.figures(getattr(cell, name))[number] for name in FIGURES] == [None] * len(FIGURES)
    assert not cells["pgd", "none"].attacked[2]
    every = replace(plan, attack_wrong=True)
    made = by_cell(every, measure(Batch(photos, truth, DIGESTS), tiny_classifier, every))
    for (attack, defense), cell in made.items():
        has_target = made["none", defense].predicted == cell.target
        assert cell.left_out.tolist() == (has_target & (cell.target >= 0)).tolist()
        assert cell.attacked.tolist() == (~cell.left_out & (attack != "none")).tolist()
    pgd = plan.attacks["pgd"](photos, torch.from_numpy(truth), tiny_classifier)
    assert made["pgd", "none"].predicted.tolist() == tiny_classifier(pgd).argmax(1).tolist()


def test_a_photo_that_only_a_defense_gets_right_is_attacked_behind_it(photos, tiny_classifier, monkeypatch):
    defense = LGS()
    behind = tiny_classifier(defense(photos, tiny_classifier)).argmax(1)
    alone = tiny_classifier(photos).argmax(1)
    plan = Plan({"fgsm": ATTACKS["fgsm"](eps=16 / 255)}, {"lgs": defense})
    differing = int((behind != alone).nonzero()[0])
    truth = alone.clone()
    truth[differing] = behind[differing]
    cells = by_cell(plan, measure(Batch(photos, truth.numpy(), DIGESTS), tiny_classifier, plan))
    assert not cells["fgsm", "none"].attacked[differing]
    assert cells["fgsm", "lgs"].attacked[differing]
    attacked = plan.attacks["fgsm"](photos, truth, tiny_classifier)
    expected = tiny_classifier(defense(attacked, tiny_classifier)).argmax(1)
    assert cells["fgsm", "lgs"].predicted[differing] == expected[differing]


def test_an_attack_leaves_the_true_label(photos, tiny_classifier):
    """Leaving the predicted one would bring a photo that is wrong nearer to its true label."""
    truth = (tiny_classifier(photos).argmax(1) + 1) % 5
    attack = ATTACKS["pgd"](eps=4 / 255, iterations=5)
    plan = Plan({"pgd": attack}, {}, attack_wrong=True)
    cells = measure(Batch(photos, truth.numpy(), DIGESTS), tiny_classifier, plan)
    attacked = attack(photos, truth, tiny_classifier)
    expected = tiny_classifier(attacked).softmax(1).gather(1, truth[:, None])[:, 0]
    np.testing.assert_allclose(cells[1].label_probability, expected, atol=1e-5)
    assert (cells[1].label_probability < cells[0].label_probability).all()


def test_a_photo_that_has_the_target_is_left_out(photos, tiny_classifier):
    truth = tiny_classifier(photos).argmax(1).numpy()
    plan = Plan({"lavan": ATTACKS["lavan"](iterations=3)}, {"lgs": LGS()}, target=int(truth[0]))
    clean, _, bare, defended = measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan)
    had = truth == truth[0]
    for cell in (bare, defended):
        assert cell.left_out.tolist() == had.tolist()
        assert [outcome == "left out" for outcome in cell.outcomes()] == had.tolist()
        assert [reached is None for reached in cell.reached()] == had.tolist()
        assert not cell.attacked[had].any()
    assert not clean.left_out.any()


def test_the_target_is_reached_also_through_a_defense(photos, tiny_classifier):
    truth = tiny_classifier(photos).argmax(1).numpy()
    lavan = ATTACKS["lavan"](share=0.5, iterations=60, learning_rate=0.5)
    plan = Plan({"lavan": lavan}, {"vote": SmoothingVote(sigma=0.1)})
    cells = by_cell(plan, measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan))
    assert cells["none", "none"].reached() == [None] * 3
    for cell in (cells["lavan", "none"], cells["lavan", "vote"]):
        assert cell.reached() == (cell.predicted == cell.target).tolist()
    assert any(cells["lavan", "none"].reached())


def test_one_who_knows_attacks_each_defense_by_itself(photos, tiny_classifier):
    """As ``run_story`` does it, photo by photo, where the defended classifier is right before the attack."""
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
    truth = tiny_classifier(photos).argmax(1).numpy()
    cells = by_cell(plan, measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan))
    assert cells["pgd/bpda", "none"].predicted.tolist() == cells["pgd", "none"].predicted.tolist()
    for name, defense in defenses.items():
        cell, before = cells["pgd/bpda", name], cells["none", name]
        assert cell.attacked.tolist() == (before.predicted == truth).tolist()
        for number in range(3):
            if not cell.attacked[number]:
                assert cell.predicted[number] == before.predicted[number]
                continue
            photo = photos[number : number + 1]
            story = run_story(photo, tiny_classifier, attack, defense, threat=threats["bpda"])
            assert cell.ssim[number] == pytest.approx(story.defended.ssim, abs=1e-4)
            assert cell.bare[number] == int(story.attacked.logits.argmax())
            assert (cell.predicted[number] < 0) == story.defended.rejected
            if not story.defended.rejected:
                assert cell.predicted[number] == int(story.defended.logits.argmax())


def test_what_is_no_number_is_an_error(photos, truth, tiny_classifier, plan):
    torch.nn.init.constant_(tiny_classifier.head.bias, float("nan"))
    with pytest.raises(ClassifierError, match="tiny answers with something that is not a number"):
        measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan)


@pytest.mark.parametrize("name", DEFENSES)
def test_where_a_defense_looks_is_one_of_its_steps(photos, tiny_classifier, name):
    defense = DEFENSES[name]()
    names = [step.name for step in defense.steps(photos[:1], tiny_classifier)]
    assert not defense.finds or defense.finds in names


@pytest.mark.parametrize("name", ATTACKS)
def test_no_photo_hears_of_the_others(photos, tiny_classifier, name):
    few = {"iterations": 3} if "iterations" in ATTACKS[name]().values() else {}
    plan = Plan({name: ATTACKS[name](**few)}, {"lgs": LGS()}, seed=4)
    truth = tiny_classifier(photos).argmax(1).numpy()
    together = measure(Batch(photos, truth, DIGESTS), tiny_classifier, plan)
    order = [2, 0]
    some = Batch(photos[order], truth[order], [DIGESTS[number] for number in order])
    for cell, other in zip(together, measure(some, tiny_classifier, plan), strict=True):
        assert (cell.predicted[order] == other.predicted).all()
        assert (cell.target[order] == other.target).all()
        np.testing.assert_allclose(cell.probability[order], other.probability, atol=1e-4)


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
