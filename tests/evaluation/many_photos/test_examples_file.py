"""What is read of the measured examples, against cases worked out by hand."""

import json

import pytest

from attacks import ATTACKS
from attacks.iterated_fgsm import IteratedFGSM
from attacks.noise import Noise
from attacks.pgd import PGD
from defenses import DEFENSES
from evaluation.many_photos import examples
from evaluation.many_photos.examples import GalleryTrial, kind_of, read_trials, trials_of
from evaluation.measures.intervals import Share, wilson
from evaluation.one_photo.report import method_facts

OTHERS = dict.fromkeys(DEFENSES, -0.9)


def facts(attack, gallery, **defenses):
    """A rung of 200 photos, 150 fooled and 120 of them surely, as the command writes it."""
    counts = {name: {"right": 10, "undone": 5} for name in DEFENSES} | defenses
    return {
        "attack": method_facts(attack, ATTACKS),
        "photos": 200,
        "fooled": 150,
        "surely": 120,
        "defenses": counts,
        "gallery": [
            {
                "name": name,
                "label": "cat",
                "attacked_label": says,
                "attacked": chance,
                "defended": OTHERS | defended,
            }
            for name, says, chance, defended in gallery
        ],
    }


def measured(*rungs):
    return {"identity": "net:1", "source": "200 photos", "command": "python -m …", "rungs": list(rungs)}


STRONG = facts(
    IteratedFGSM(eps=4 / 255),
    [("a", "dog", 0.9, {"jpeg": 0.45}), ("b", "cat", 0.9, {"jpeg": 0.9}), ("c", "dog", 0.4, {"jpeg": 0.9})],
    median={"right": 90, "undone": 60},
)
WEAK = facts(
    IteratedFGSM(eps=1 / 255),
    [
        ("a", "dog", 0.9, {"jpeg": 0.6, "median": 0.7}),
        ("b", "dog", 0.7, {"jpeg": 0.8}),
        ("c", "dog", 0.8, {"jpeg": 0.49}),
        ("d", "cat", 0.9, {"jpeg": 0.9}),
    ],
    jpeg={"right": 120, "undone": 72},
)


def test_an_example_is_of_the_strongest_attack_with_the_widest_margin():
    trials = trials_of(measured(STRONG, WEAK))
    # At 4/255: a comes back at 0.45 only, b is not fooled, c is fooled at 0.4 only. At 1/255 the smaller of
    # both probabilities is 0.6 for a, 0.7 for b; c comes back at 0.49 only, and d is not fooled.
    example = trials.example("jpeg")
    assert (example.rung.strength, example.trial.name) == (1 / 255, "b")
    assert (example.undone.hits, example.undone.of, example.undone.share) == (72, 120, 0.6)
    assert (example.undone.low, example.undone.high) == wilson(72, 120)
    assert example.fails_on == ("c",)
    assert trials.example("median").fails_on == ("b", "c")


def test_an_example_is_no_stroke_of_luck():
    lucky = [("a", "dog", 0.9, {"jpeg": 0.9})]
    strong = facts(IteratedFGSM(eps=4 / 255), lucky, jpeg={"right": 9, "undone": 29})
    middle = facts(IteratedFGSM(eps=2 / 255), lucky, jpeg={"right": 9, "undone": 30})
    weak = facts(IteratedFGSM(eps=1 / 255), lucky, jpeg={"right": 9, "undone": 60})
    # Of 120 photos a quarter is 30: the strongest attack that comes to it.
    assert trials_of(measured(strong, middle, weak)).example("jpeg").rung.strength == 2 / 255
    # Where none does, the one that is undone most often.
    weaker = facts(IteratedFGSM(eps=1 / 255), lucky, jpeg={"right": 9, "undone": 28})
    assert trials_of(measured(strong, weaker)).example("jpeg").rung.strength == 4 / 255


def test_without_a_photo_that_comes_back_there_is_no_example():
    trials = trials_of(measured(STRONG, WEAK))
    assert trials.example("bilateral") is None
    # Made for patches, of which none was tried.
    assert trials.example("lgs") is None


def test_a_defense_that_came_later_was_not_tried():
    older = json.loads(json.dumps(WEAK))
    del older["defenses"]["jpeg"]
    for trial in older["gallery"]:
        del trial["defended"]["jpeg"]
    trials = trials_of(measured(older))
    assert trials.tried("jpeg") == []
    assert trials.example("jpeg") is None
    assert [rung.strength for rung in trials.tried("median")] == [1 / 255]


def test_the_best_defense_is_the_one_that_is_most_often_right():
    strong, weak = trials_of(measured(STRONG, WEAK)).rungs
    assert (strong.best(), weak.best()) == ("median", "jpeg")
    assert (strong.fooled.share, strong.surely.share) == (0.75, 0.6)


@pytest.mark.parametrize(
    ("attack", "strength"),
    [
        (IteratedFGSM(eps=8 / 255), 4),
        (IteratedFGSM(eps=2.5 / 255), 4),
        # 1.9 is nearer to 1 by its ratio, 1.9, than to 4, 2.1.
        (IteratedFGSM(eps=1.9 / 255, iterations=3), 1),
        (IteratedFGSM(eps=0.1 / 255), 1),
    ],
)
def test_the_nearest_rung_is_that_of_the_nearest_ratio(attack, strength):
    assert trials_of(measured(STRONG, WEAK)).nearest(attack).strength == strength / 255


@pytest.mark.parametrize(
    "attack",
    [PGD(eps=4 / 255), Noise(), IteratedFGSM(eps=4 / 255, goal="targeted"), IteratedFGSM(eps=0)],
)
def test_another_attack_has_no_rung(attack):
    assert trials_of(measured(STRONG, WEAK)).nearest(attack) is None


def test_a_trial_is_undone_only_where_it_was_fooled():
    assert GalleryTrial("a", "cat", "dog", 0.5, {"jpeg": 0.5}).undone_by("jpeg")
    assert not GalleryTrial("a", "cat", "dog", 0.5, {"jpeg": -0.9}).undone_by("jpeg")
    assert not GalleryTrial("a", "cat", "dog", 0.49, {"jpeg": 0.9}).undone_by("jpeg")
    assert not GalleryTrial("a", "cat", "cat", 0.9, {"jpeg": 0.9}).undone_by("jpeg")
    assert Share.counted(0, 0).or_zero == 0


def test_what_was_measured_on_other_weights_does_not_count(tmp_path):
    file = tmp_path / "examples.json"
    assert read_trials("net", "net:1", file) is None
    file.write_text(json.dumps({"net": measured(STRONG)}), encoding="utf-8")
    assert read_trials("net", "net:1", file).rungs[0].strength == 4 / 255
    assert read_trials("net", "net:2", file) is None
    assert read_trials("other", "net:1", file) is None


def test_kinds_and_strengths_of_every_attack():
    kinds = {name: kind_of(cls()) for name, cls in ATTACKS.items()}
    assert {name for name, kind in kinds.items() if kind == "patches"} == {"universal-patch", "lavan"}
    assert PGD(eps=0.25).strength == 0.25
    assert Noise(sigma=0.125).strength == 0.125
    assert ATTACKS["lavan"](share=0.05).strength == 0.05
    assert all(cls().strength > 0 for cls in ATTACKS.values())


def test_defenses_say_which_kind_they_are_against():
    assert {cls.against for cls in DEFENSES.values()} == {"patches", "small changes"}
    assert examples.SURE == 0.5
