import html
import re
from dataclasses import replace

import pytest
import torch

from attacks import ATTACKS
from classifiers import Prediction
from defenses import DEFENSES, THREATS
from evaluation.one_photo.story import run_story
from story.render import ATTACKED, CLEAN, DEFENDED, TARGET_COLOUR, TRUE_COLOUR
from terminal.commands import _first, _verdict
from ui.frame.verdict import (
    NDCG_HELP,
    Stage,
    adversary,
    badge_html,
    bars_html,
    meanings,
    percent,
    stages,
    verdict_html,
)


def words(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", text))


@pytest.fixture
def story(scene):
    attack = ATTACKS["pgd"](eps=16 / 255, iterations=8)
    return run_story(scene.photo, scene.classifier, attack, DEFENSES["lgs"](), size=scene.size)


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (0.001, "< 1 %"),
        (0.005, "0 %"),
        (0.126, "13 %"),
        (0.994, "99 %"),
        (0.999, "> 99 %"),
        (1, "100 %"),
    ],
)
def test_no_number_claims_to_be_certain(share, shown):
    assert percent(share) == shown


def test_a_story_has_its_stages_in_their_colours(story):
    line = stages(story)
    assert [stage.title for stage in line] == ["Clean", "Attacked", "Defended"]
    assert [stage.colour for stage in line] == [CLEAN, ATTACKED, DEFENDED]
    assert line[0].effect == ""


def test_every_picture_but_the_clean_one_has_its_ndcg_with_its_meaning(story):
    line = stages(story)
    assert [stage.ndcg for stage in line] == [None, story.attacked.ndcg, story.defended.ndcg]
    text = verdict_html(line)
    assert text.count("nDCG ") == 2
    assert text.count(f"</summary>{html.escape(NDCG_HELP)}.</details>") == 2
    assert f"{story.attacked.ndcg:.2f}" in words(text)


def test_outcomes_are_words_and_icons():
    text = verdict_html(
        [
            Stage("Attacked", "cup", 0.5, ATTACKED, "fooled", False),
            Stage("Defended", "cat", 0.9, DEFENDED, "restored"),
        ]
    )
    assert "fooled" in words(text)
    assert "restored" in words(text)
    assert "cancel" in text
    assert "check_circle" in text


def test_a_clean_photo_is_kept_or_lost(scene):
    story = run_story(scene.photo, scene.classifier, None, DEFENSES["lgs"](lam=0.0), size=scene.size)
    assert [stage.effect for stage in stages(story)] == ["", "kept"]


def test_an_attack_that_changes_nothing_has_fooled_nobody(scene):
    story = run_story(scene.photo, scene.classifier, ATTACKS["noise"](sigma=0.0), size=scene.size)
    assert stages(story)[1].effect == "not fooled"
    assert stages(story)[1].good
    assert adversary(story) is None
    assert badge_html(story) == ""


def test_the_target_has_its_colour_and_its_word(scene):
    source = run_story(scene.photo, scene.classifier, size=scene.size).source
    target = scene.classifier.labels[source - 1]
    attack = ATTACKS["pgd"](goal="targeted", iterations=1)
    story = run_story(scene.photo, scene.classifier, attack, target=target, size=scene.size)
    found = meanings(story)
    assert found[target] == (TARGET_COLOUR, "target")
    assert found[story.labels[story.source]][0] == TRUE_COLOUR


def test_labels_from_a_visitors_file_are_no_markup(story):
    assert "<b>" not in bars_html("Before", [Prediction("<b>bold</b>", 0.5)], {})
    assert "<b>" not in verdict_html([Stage("Clean", "<b>bold</b>", 0.5, CLEAN)])


def test_bars_have_numbers_and_widths(story):
    text = bars_html("After", story.attacked.top, meanings(story))
    assert text.count("<li") == 5
    assert re.search(r"width:\d+\.\d\d%", text)
    assert words(text).count("%") == 5


CAT, DOG = 0, 1
THEN, NOW = "same answer, but it was not sure", "same answer, but not sure"
TABLE = [
    # clean, attacked and defended: the label, and "?" where the classifier is not sure of it
    ("cat", "dog", "cat", ("fooled", "restored"), (False, True)),
    ("cat", "dog", "cat?", ("fooled", NOW), (False, None)),
    ("cat", "dog", "dog", ("fooled", "not restored"), (False, False)),
    ("cat", "dog?", "cat", ("fooled", "restored"), (False, True)),
    ("cat", "dog?", "dog?", ("fooled", "not restored"), (False, False)),
    ("cat", "cat", "cat", ("not fooled", "kept"), (True, True)),
    ("cat", "cat?", "cat", (NOW, "kept"), (None, True)),
    ("cat", "cat", "cat?", ("not fooled", NOW), (True, None)),
    ("cat", "cat", "dog", ("not fooled", "lost"), (True, False)),
    ("cat", None, "cat", ("kept",), (True,)),
    ("cat", None, "cat?", (NOW,), (None,)),
    ("cat", None, "dog?", ("lost",), (False,)),
    ("cat?", "dog", "cat", ("fooled", THEN), (False, None)),
    ("cat?", "dog", "cat?", ("fooled", THEN), (False, None)),
    ("cat?", "dog", "dog", ("fooled", "another answer"), (False, False)),
    ("cat?", "cat", "cat", (THEN, THEN), (None, None)),
    ("cat?", "cat?", "dog", (THEN, "another answer"), (None, False)),
    ("cat?", None, "cat", (THEN,), (None,)),
    ("cat?", None, "dog", ("another answer",), (False,)),
]


def in_doubt(story, clean, attacked, defended):
    """``story`` where the classifier says those labels, "?" behind the ones that it is not sure of."""

    def seen(said, before):
        if said is None:
            return None
        number = {"cat": CAT, "dog": DOG}[said.rstrip("?")]
        top = (Prediction(story.labels[number], 0.5),)
        sure = not said.endswith("?")
        scores = torch.eye(len(story.labels))[[number]]
        return replace(before, logits=scores, top=top, is_sure=sure, was_sure="?" not in clean)

    return replace(
        story,
        clean=seen(clean, story.clean),
        attacked=seen(attacked, story.attacked),
        defended=seen(defended, story.defended),
        source=CAT,
        attack=story.attack if attacked else None,
        success=attacked is not None and attacked.startswith("dog"),
    )


@pytest.mark.parametrize(("clean", "attacked", "defended", "effects", "good"), TABLE)
def test_nothing_is_restored_that_the_classifier_was_not_sure_of(
    story, clean, attacked, defended, effects, good
):
    doubtful = in_doubt(story, clean, attacked, defended)
    line = stages(doubtful)
    assert tuple(stage.effect for stage in line[1:]) == effects
    assert tuple(stage.good for stage in line[1:]) == good
    said = [one for one in (clean, attacked, defended) if one is not None]
    assert [stage.is_sure for stage in line] == [not one.endswith("?") for one in said]
    text = words(verdict_html(line))
    assert text.count("Not sure: perhaps") == "".join(said).count("?")
    if "?" in clean:
        assert "restored" not in text

    told = _verdict(doubtful)
    assert ("restored" in told.replace("not restored", "")) == ("restored" in effects)
    assert ("but it was not sure then" in told) == (THEN in effects)
    if "?" in clean:
        assert "restored" not in told
    assert _first(doubtful.clean).startswith("not sure: perhaps ") == ("?" in clean)


def test_an_attacker_who_knows_restores_nothing_either(story):
    knowing = replace(in_doubt(story, "cat?", "dog", "cat"), threat=THREATS["bpda"](), success=False)
    assert stages(knowing)[2].effect == THEN
    assert stages(knowing)[2].good is None
    reached = replace(in_doubt(story, "cat?", "dog", "dog"), threat=THREATS["bpda"](), success=True)
    assert stages(reached)[2].effect == "fooled"


def test_a_threshold_makes_the_classifier_unsure(scene, classifier, monkeypatch):
    first = run_story(scene.photo, classifier, None, DEFENSES["lgs"](lam=0.0), size=scene.size)
    assert first.clean.is_sure
    monkeypatch.setattr(classifier, "sure_from", first.clean.top[0].probability + 1e-4)
    story = run_story(scene.photo, classifier, None, DEFENSES["lgs"](lam=0.0), size=scene.size)
    assert (story.clean.is_sure, story.clean.was_sure, story.defended.was_sure) == (False, False, False)
    assert story.defended.answer(story.source) == "same, unsure before"
    assert story.restored


@pytest.mark.parametrize("threat", ["bpda", "exact"])
def test_an_attack_through_a_defense_is_judged_behind_it(scene, threat):
    attack = ATTACKS["pgd"](eps=16 / 255, iterations=4)
    defense = DEFENSES["lgs"](threshold=0.05)
    story = run_story(
        scene.photo, scene.classifier, attack, defense, size=scene.size, threat=THREATS[threat]()
    )
    stage = stages(story)[2]
    assert stage.effect in ("fooled", "kept", "restored")
    assert (stage.effect == "fooled") == story.success
    assert stage.good == story.restored
