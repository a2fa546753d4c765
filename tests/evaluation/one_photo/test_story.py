"""One photo through an attack and a defense: the same numbers as by hand, and no pass too many."""

from __future__ import annotations

import math
from io import BytesIO

import pytest
import torch
from skimage.metrics import structural_similarity

from attacks import ATTACKS, Report
from classifiers.base import Classifier
from defenses import DEFENSES, THREATS
from evaluation.measures.metrics import psnr
from evaluation.one_photo.story import attacked_story, defended_story, run_story
from explain import Memo
from ops.coding import eight_bit
from photos import gallery, gallery_photo
from story import by_name
from tests.defenses.contrast import contrast_classifier

PGD = ATTACKS["pgd"](eps=16 / 255, step=4 / 255, iterations=4)
LAVAN = ATTACKS["lavan"](share=0.2, iterations=5)


@pytest.fixture
def x(photos):
    return photos[:1]


@pytest.fixture
def passes(monkeypatch):
    """Photos in each forward pass, in order."""
    seen = []
    forward = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", lambda self, x: (seen.append(len(x)), forward(self, x))[1])
    return seen


def test_a_photo_alone(x, tiny_classifier):
    story = run_story(x, tiny_classifier)
    assert story.attack is story.defense is story.attacked is story.defended is story.trace is None
    assert story.success is story.success_8bit is story.restored is story.target is None
    assert [step.name for step in story.steps] == ["photo"]
    assert story.attack_steps == []
    scores = tiny_classifier(x)
    assert torch.equal(story.clean.logits, scores)
    assert list(story.clean.top) == tiny_classifier.top(scores)[0]
    assert story.source == story.clean.label == int(scores.argmax())
    assert story.clean.probabilities.sum().item() == pytest.approx(1)
    assert story.clean.ssim is story.clean.psnr is None
    assert story.seconds["attack"] == story.seconds["defense"] == 0 < story.seconds["classifier"]


def test_an_attack(x, tiny_classifier):
    story = run_story(x, tiny_classifier, PGD)
    y = tiny_classifier(x).argmax(1)
    expected = PGD.run(x, y, tiny_classifier).attacked
    assert torch.equal(story.attacked.x, expected)
    assert story.success == (story.attacked.label != story.source)
    assert story.success_8bit == (int(tiny_classifier(eight_bit(expected)).argmax()) != story.source)
    assert story.target is None
    assert [step.name for step in story.steps] == ["photo", "perturbation", "result"]
    similarity = structural_similarity(x[0].numpy(), expected[0].numpy(), channel_axis=0, data_range=1)
    assert story.attacked.ssim == pytest.approx(float(similarity), abs=1e-6)
    assert story.attacked.psnr == psnr(x, expected)
    assert story.seconds["attack"] > 0


def test_lavan_that_only_leaves_the_label_has_no_target(x, tiny_classifier):
    attack = ATTACKS["lavan"](share=0.2, iterations=5, goal="untargeted")
    story = run_story(x, tiny_classifier, attack)
    assert story.target is None
    expected = attack.run(x, torch.tensor([story.source]), tiny_classifier)
    assert torch.equal(story.attacked.x, expected.attacked)
    assert story.success == (story.attacked.label != story.source)
    with pytest.raises(ValueError, match="takes no target unless its goal is targeted"):
        run_story(x, tiny_classifier, attack, target=1)


@pytest.mark.parametrize("target", ["dog", "DOG", 3])
def test_a_targeted_attack(x, tiny_classifier, target):
    story = run_story(x, tiny_classifier, LAVAN, target=target)
    assert story.target == 3
    assert torch.equal(story.attacked.x, LAVAN.run(x, torch.tensor([3]), tiny_classifier).attacked)
    assert story.success == (story.attacked.label == 3)


def test_without_a_target_a_random_one_that_the_seed_fixes(x, tiny_classifier):
    targets = {seed: run_story(x, tiny_classifier, LAVAN, seed=seed).target for seed in range(8)}
    assert len(set(targets.values())) > 1
    assert run_story(x, tiny_classifier).source not in targets.values()
    assert run_story(x, tiny_classifier, LAVAN).target == targets[LAVAN.seed]
    seeded = ATTACKS["lavan"](share=0.2, iterations=1, seed=5)
    assert run_story(x, tiny_classifier, seeded).target == targets[5]


@pytest.mark.parametrize("name", DEFENSES)
def test_a_defense_alone_works_on_the_clean_photo(x, tiny_classifier, name):
    defense = DEFENSES[name]()
    story = run_story(x, tiny_classifier, defense=defense)
    assert torch.equal(by_name(story.steps, "photo").map, x)
    assert torch.equal(story.defended.x, defense(x, tiny_classifier))
    assert story.attacked is None
    assert story.restored == (story.defended.label == story.source)
    assert story.seconds["defense"] > 0


@pytest.mark.parametrize("name", DEFENSES)
def test_a_defense_works_on_the_attacked_photo(x, tiny_classifier, name):
    defense = DEFENSES[name]()
    story = run_story(x, tiny_classifier, PGD, defense)
    assert torch.equal(by_name(story.steps, "photo").map, story.attacked.x)
    assert torch.equal(story.defended.x, defense(story.attacked.x, tiny_classifier))
    assert story.defended.psnr == psnr(x, story.defended.x)
    assert [step.name for step in story.attack_steps] == ["photo", "perturbation", "result"]
    assert not any(step.map.requires_grad for step in story.steps)


def test_an_attack_that_does_nothing_is_infinitely_close(x, tiny_classifier):
    story = run_story(x, tiny_classifier, ATTACKS["noise"](sigma=0.0))
    assert story.attacked.psnr == math.inf
    assert story.attacked.ssim == pytest.approx(1)
    assert story.success is False


def test_an_earlier_trace_is_not_run_again(x, tiny_classifier, passes):
    first = run_story(x, tiny_classifier, PGD, DEFENSES["lgs"]())
    before = len(passes)
    again = run_story(x, tiny_classifier, PGD, DEFENSES["lgs"](lam=1.0), trace=first.trace)
    assert len(passes) - before == 4, "clean, attacked, rounded, defended"
    assert again.attacked.top == first.attacked.top
    assert again.success == first.success
    assert again.seconds["attack"] == 0


SLIDERS = {
    **{name: {"lam": 3.5} for name in ("lgs", "slgs", "wlgs")},
    "pixel-deflection": {"sigma": 0.1},
}


@pytest.mark.parametrize("name", SLIDERS)
def test_moving_a_slider_costs_one_pass_on_the_result(x, tiny_classifier, passes, name):
    memo = Memo(10_000_000)
    # There must be a region to smooth.
    much = {"threshold": 0.0} if name != "pixel-deflection" else {}
    much |= {"erosions": 0} if name == "slgs" else {}
    first = run_story(x, tiny_classifier, PGD, DEFENSES[name](**much), memo=memo)
    before = len(passes)
    moved = DEFENSES[name](**much, **SLIDERS[name])
    again = run_story(x, tiny_classifier, PGD, moved, memo=memo, trace=first.trace)
    assert passes[before:] == [1]
    alone = run_story(x, tiny_classifier, PGD, moved)
    assert torch.equal(again.defended.logits, alone.defended.logits)
    assert again.attacked.top == alone.attacked.top


@pytest.mark.parametrize("threat", THREATS)
def test_a_defense_that_follows_later_comes_to_the_same(x, tiny_classifier, threat):
    options = {"threat": THREATS[threat]()}
    first, other = DEFENSES["lgs"](threshold=0.05), DEFENSES["jpeg"]()
    before = attacked_story(x, tiny_classifier, PGD, assumed=first, **options)
    assert before.defense is before.defended is None
    assert (before.success is None) == options["threat"].knows
    for defense in (first, other):
        later = defended_story(before, tiny_classifier, defense)
        at_once = run_story(x, tiny_classifier, PGD, defense, assumed=first, **options)
        assert torch.equal(later.attacked.x, at_once.attacked.x)
        assert torch.equal(later.defended.logits, at_once.defended.logits)
        assert [step.name for step in later.steps] == [step.name for step in at_once.steps]
        assert later.defense == at_once.defense == defense
        assert (later.success, later.success_8bit) == (at_once.success, at_once.success_8bit)
        assert later.restored == at_once.restored
        assert later.seconds["attack"] == before.seconds["attack"]


def test_progress_is_told_and_may_stop_the_run(x, tiny_classifier):
    told: list[Report] = []
    run_story(x, tiny_classifier, PGD, progress=told.append)
    assert [report.done for report in told] == [1, 2, 3, 4]

    def stop(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_story(x, tiny_classifier, PGD, progress=stop)


def test_a_file_is_cropped_to_the_working_size(tiny_classifier):
    photo = gallery_photo(gallery()[0])
    story = run_story(photo, tiny_classifier, size=64)
    assert torch.equal(story.clean.x, photo.working(64))
    assert story.photo is photo
    tiny_classifier.working_size = 80
    assert run_story(photo, tiny_classifier).clean.x.shape == (1, 3, 80, 80)


def test_a_patch_made_for_a_label_names_it_as_the_target(x, tiny_classifier):
    class ReadyMade(ATTACKS["noise"]):
        target_label = "egg"

    assert run_story(x, tiny_classifier, ReadyMade()).target == 4
    ReadyMade.target_label = "golf ball"
    assert run_story(x, tiny_classifier, ReadyMade()).target is None


@pytest.mark.parametrize("threat", [name for name, cls in THREATS.items() if cls.knows])
@pytest.mark.parametrize("name", ["lgs", "slgs", "pixel-deflection", "smoothing-vote"])
def test_an_attacker_who_knows_goes_through_the_defense(x, tiny_classifier, name, threat):
    defense, threat = DEFENSES[name](), THREATS[threat]()
    story = run_story(x, tiny_classifier, PGD, defense, threat=threat)
    y = tiny_classifier(x).argmax(1)
    expected = PGD.run(x, y, threat.attacked(defense, tiny_classifier)).attacked
    assert torch.equal(story.attacked.x, expected)
    assert torch.equal(story.defended.x, defense(expected, tiny_classifier))
    assert story.threat == threat
    assert story.success == (not story.defended.rejected and story.defended.label != story.source)
    rounded = run_story(eight_bit(expected), tiny_classifier, None, defense).defended
    assert story.success_8bit == (not rounded.rejected and rounded.label != story.source)


def test_what_is_taken_for_the_defense_is_attacked_and_what_is_there_defends(x, tiny_classifier):
    assumed, present, threat = DEFENSES["lgs"](lam=5.0, threshold=0), DEFENSES["jpeg"](), THREATS["exact"]()
    story = run_story(x, tiny_classifier, PGD, present, threat=threat, assumed=assumed)
    known = run_story(x, tiny_classifier, PGD, assumed, threat=threat)
    assert torch.equal(story.attacked.x, known.attacked.x)
    assert torch.equal(story.defended.x, present(story.attacked.x, tiny_classifier))


def test_a_rejected_photo_fools_nobody(tiny_classifier):
    clean = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    noise, vote = ATTACKS["noise"](sigma=0.0), DEFENSES["smoothing-vote"]()
    busy = [
        (step.map[..., 1:] - step.map[..., :-1]).abs().mean()
        for step in vote.steps(clean, contrast_classifier(0, 1))[:3]
    ]
    model = contrast_classifier((busy[1] + busy[2]) / 2, (busy[0] + busy[1]) / 2)
    story = run_story(clean, model, noise, vote, threat=THREATS["bpda"]())
    assert story.defended.rejected
    assert story.success is False
    assert story.success_8bit is False


def test_the_oblivious_know_nothing_of_the_defense(x, tiny_classifier):
    story = run_story(x, tiny_classifier, PGD, DEFENSES["lgs"]())
    assert story.threat == THREATS["oblivious"]()
    assert torch.equal(story.attacked.x, run_story(x, tiny_classifier, PGD).attacked.x)
    assert story.success == (story.attacked.label != story.source)


@pytest.mark.parametrize("methods", [(None, DEFENSES["lgs"]()), (PGD, None)])
def test_there_must_be_something_to_know(x, tiny_classifier, methods):
    with pytest.raises(ValueError, match="BPDA is an attack through a defense: give both"):
        run_story(x, tiny_classifier, *methods, threat=THREATS["bpda"]())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"attack": LAVAN, "target": "zebra"}, "no label 'zebra'"),
        ({"attack": LAVAN, "target": 5}, "0 to 4, not 5"),
        ({"attack": PGD, "target": "dog"}, "takes no target"),
        ({"attack": ATTACKS["noise"](), "target": "dog"}, "takes no target"),
    ],
)
def test_a_wrong_target_is_one_sentence(x, tiny_classifier, arguments, words):
    with pytest.raises(ValueError, match=words):
        run_story(x, tiny_classifier, **arguments)


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 3, 8, 8), (1, 1, 8, 8)])
def test_one_photo_at_a_time(tiny_classifier, shape):
    with pytest.raises(ValueError, match=r"\(1, 3, H, W\)"):
        run_story(torch.zeros(shape), tiny_classifier)


def test_the_classifier_and_the_photo_stay_as_they_were(x, tiny_classifier):
    weights = BytesIO()
    torch.save(tiny_classifier.state_dict(), weights)
    kept = x.clone()
    run_story(x, tiny_classifier, PGD, DEFENSES["slgs"]())
    assert torch.equal(x, kept)
    after = BytesIO()
    torch.save(tiny_classifier.state_dict(), after)
    assert weights.getvalue() == after.getvalue()
    assert not tiny_classifier.training
