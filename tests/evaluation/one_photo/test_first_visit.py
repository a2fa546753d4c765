"""What a first visit sees, without a link: the photo, the patch and the defense that the app begins with."""

import classifiers
from attacks import ATTACKS
from defenses import DEFENSES
from evaluation.one_photo.story import run_story
from photos import gallery, gallery_entry, gallery_photo

FIRST = gallery()[0]


def test_the_first_visit_sees_a_patch_fool_and_a_defense_undo_it():
    model = classifiers.load(classifiers.default_name(), device="cpu")
    attack, defense = next(iter(ATTACKS.values())), next(iter(DEFENSES.values()))
    story = run_story(gallery_photo(FIRST), model, attack(), defense())
    clean, attacked, defended = story.clean.top[0], story.attacked.top[0], story.defended.top[0]
    assert clean.label in gallery_entry(FIRST).imagenet
    # Not just over the threshold: a visitor is to see it at once.
    assert clean.probability >= 0.8
    assert attacked.label == story.attack.target_label
    assert attacked.probability >= 0.9
    assert story.restored
    assert defended.probability >= 0.6
