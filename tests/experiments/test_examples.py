"""The examples of the defenses' pages, against photos taken one at a time."""

import json
from argparse import Namespace

import pytest

import classifiers
from attacks.iterated_fgsm import IteratedFGSM
from attacks.lavan import LaVAN
from attacks.pgd import PGD
from attacks.universal_patch import PATCHES
from defenses import DEFENSES, defend
from evaluation.many_photos.examples import FILE, SURE, Rung, read_trials
from evaluation.many_photos.measuring import right_photos
from evaluation.one_photo.story import run_story
from experiments import examples
from experiments.examples import ladder, main, measure, title
from photos import gallery_photo

ATTACK = IteratedFGSM(eps=16 / 255, step=4 / 255, iterations=3)
SHARPER = 250
NAMES = ("chelsea", "coffee")


@pytest.fixture
def few(monkeypatch):
    """Three defenses, one of them random and one that rejects, and two photos of the gallery."""
    some = {name: DEFENSES[name] for name in ("jpeg", "pixel-deflection", "smoothing-vote")}
    monkeypatch.setattr(examples, "DEFENSES", some)
    monkeypatch.setattr(examples, "gallery", lambda: NAMES)
    return some


def measured(source, classifier, file, attacks=(ATTACK,), **more):
    return measure(classifier, source, attacks, file, size=64, limit=6, seed=0, command="python -m …", **more)


def test_counts_are_those_of_photos_taken_one_at_a_time(labelled_source, tiny_classifier, tmp_path, few):
    # The same labels, but surer: those of a network that was never trained are about equally likely.
    tiny_classifier.head.weight.mul_(SHARPER)
    (rung,) = measured(labelled_source, tiny_classifier, tmp_path / "examples.json").rungs
    photos = right_photos(labelled_source, tiny_classifier, 64, 6, 0)
    fooled = surely = 0
    right, undone = dict.fromkeys(few, 0), dict.fromkeys(few, 0)
    for x, y in zip(photos.x.split(1), photos.y.tolist(), strict=True):
        attacked = run_story(x, tiny_classifier, ATTACK).attacked
        fooled += attacked.label != y
        is_sure = attacked.label != y and attacked.top[0].probability >= SURE
        surely += is_sure
        for name, cls in few.items():
            outcome = defend(cls(), attacked.x, tiny_classifier)
            is_right = outcome.labels.item() == y
            right[name] += is_right
            undone[name] += is_sure and is_right and outcome.logits.softmax(1)[0, y].item() >= SURE
    assert (rung.fooled.hits, rung.fooled.of, rung.surely.hits) == (fooled, len(photos), surely)
    assert {name: count.hits for name, count in rung.right.items()} == right
    assert {name: count.hits for name, count in rung.undone.items()} == undone
    assert {count.of for count in rung.undone.values()} == {surely}
    assert 0 < surely < fooled


def test_the_gallery_is_told_photo_by_photo(labelled_source, tiny_classifier, tmp_path, few):
    (rung,) = measured(labelled_source, tiny_classifier, tmp_path / "examples.json").rungs
    assert [trial.name for trial in rung.gallery] == list(NAMES)
    for trial in rung.gallery:
        story = run_story(gallery_photo(trial.name), tiny_classifier, ATTACK, size=64)
        assert trial.label == story.labels[story.source]
        assert trial.attacked_label == story.attacked.top[0].label
        assert trial.attacked == pytest.approx(story.attacked.top[0].probability, abs=1e-3)
        seen = run_story(gallery_photo(trial.name), tiny_classifier, ATTACK, few["jpeg"](), size=64).defended
        expected = seen.probabilities[seen.label].item() * (1 if seen.label == story.source else -1)
        assert trial.defended["jpeg"] == pytest.approx(expected, abs=1e-3)


def test_what_is_there_is_not_measured_again(labelled_source, tiny_classifier, tmp_path, few, monkeypatch):
    file = tmp_path / "examples.json"
    measured(labelled_source, tiny_classifier, file)
    before = file.read_text()
    runs = []
    real = examples.under
    monkeypatch.setattr(
        examples, "under", lambda *given: runs.append((len(given[2]), list(given[3]))) or real(*given)
    )
    measured(labelled_source, tiny_classifier, file)
    assert (runs, file.read_text()) == ([], before)
    # A photo that left the gallery is forgotten, and a further attack is tried on everything.
    monkeypatch.setattr(examples, "gallery", lambda: NAMES[:1])
    measured(labelled_source, tiny_classifier, file, (IteratedFGSM(eps=0.1, iterations=1), ATTACK))
    every = list(few)
    assert runs == [(6, every), (1, every)]
    assert len(json.loads(file.read_text())["tiny"]["rungs"]) == 2


def test_a_defense_that_is_new_or_has_changed_is_measured_alone(
    labelled_source, tiny_classifier, tmp_path, few, monkeypatch
):
    whole, file = tmp_path / "whole.json", tmp_path / "examples.json"
    measured(labelled_source, tiny_classifier, whole)
    monkeypatch.setattr(examples, "DEFENSES", {name: few[name] for name in ("jpeg", "smoothing-vote")})
    measured(labelled_source, tiny_classifier, file)
    monkeypatch.setattr(examples, "DEFENSES", few)
    runs = []
    real = examples.under
    monkeypatch.setattr(examples, "under", lambda *given: runs.append(list(given[3])) or real(*given))
    measured(labelled_source, tiny_classifier, file)
    assert runs == [["pixel-deflection"]] * (1 + len(NAMES))
    assert file.read_text() == whole.read_text()
    spoiled = json.loads(whole.read_text())
    spoiled["tiny"]["rungs"][0]["defenses"]["jpeg"]["right"] = 5000
    spoiled["tiny"]["rungs"][0]["gallery"][1]["defended"]["jpeg"] = 7
    file.write_text(json.dumps(spoiled))
    measured(labelled_source, tiny_classifier, file, again=("jpeg",))
    assert json.loads(file.read_text()) == json.loads(whole.read_text())


def test_the_ladder_climbs_down_and_takes_the_patches_of_the_classifier(tiny_classifier):
    attacks = ladder(classifiers.load("builtin-vgg", device="cpu"))
    own = [card for card in PATCHES.values() if card.classifier.startswith("builtin-vgg:")]
    assert sorted(attack.patch for attack in attacks if hasattr(attack, "patch")) == sorted(
        card.name for card in own
    )
    strengths = [attack.eps for attack in attacks if type(attack) is IteratedFGSM]
    assert strengths == sorted(strengths, reverse=True)
    assert not any(hasattr(attack, "patch") for attack in ladder(tiny_classifier))
    # Leaving the label is what a patch learned for one photo can do to every classifier.
    (learned,) = (attack for attack in attacks if type(attack) is LaVAN)
    assert (learned.aim, learned.share) == ("untargeted", 0.1)


def test_a_rung_is_called_by_its_strength():
    names = [
        title(Rung(name, attack, *[None] * 5))
        for name, attack in (("pgd", PGD(eps=2 / 255)), ("lavan", LaVAN(share=0.05)))
    ]
    assert names == ["pgd 2/255", "lavan 5 %"]


def test_the_command_prints_both_tables(labelled_folder, tiny_classifier, tmp_path, few, monkeypatch, capsys):
    monkeypatch.setattr(examples, "load", lambda name: tiny_classifier)
    monkeypatch.setattr(examples, "ladder", lambda classifier: [ATTACK])
    given = {"classifier": "tiny", "photos": str(labelled_folder), "size": 64, "limit": 3, "seed": 0}
    main(Namespace(**given, again=(), out=tmp_path / "examples.json"))
    printed = capsys.readouterr().out
    assert "iterated-fgsm 16/255" in printed
    assert "smoothing-vote" in printed


SHIPPED = list(json.loads(FILE.read_text())) if FILE.exists() else []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_example_holds(name):
    """Recomputed as the page does it."""
    classifier = classifiers.load(name, device="cpu")
    trials = read_trials(name, classifier.identity)
    shown = 0
    for defense, cls in DEFENSES.items():
        example = trials.example(defense)
        if example is None:
            continue
        shown += 1
        story = run_story(gallery_photo(example.trial.name), classifier, example.rung.attack, cls())
        assert story.restored, defense
        assert story.attacked.top[0].label == example.trial.attacked_label
        # Steps along the sign of a gradient: what differs in the last bits, alone or in a batch, grows.
        assert story.attacked.top[0].probability == pytest.approx(example.trial.attacked, abs=0.15), defense
        assert story.defended.probabilities[story.source] == pytest.approx(
            example.trial.defended[defense], abs=0.15
        ), defense
    assert shown >= 8
