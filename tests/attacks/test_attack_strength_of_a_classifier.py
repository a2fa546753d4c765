"""Which parameters a classifier's own strength is for."""

import pytest

import classifiers
from attacks import ATTACKS
from attacks.strength import own_strength
from classifiers import attack_strength

SMALL = {"eps": 2 / 255, "iterations": 10}
STRENGTH = SMALL | {"patch goal": "untargeted"}
TAKEN = {
    "fgsm": {"eps": 2 / 255},
    "iterated-fgsm": SMALL,
    "pgd": SMALL,
    # Its ε is another norm.
    "pgd-l2": {"iterations": 10},
    "lavan": {"goal": "untargeted"},
    "noise": {},
    "universal-patch": {},
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_takes_what_it_shares_with_iterated_fgsm(name):
    assert own_strength(ATTACKS[name], STRENGTH) == TAKEN[name]
    assert own_strength(ATTACKS[name], {}) == {}


@pytest.mark.parametrize("name", classifiers.builtin_names())
def test_a_built_in_classifier_has_the_strength_on_its_card(name):
    card = classifiers.read_card(name)["attack"]
    assert attack_strength(name) == {key: card[key] for key in ("eps", "iterations", "patch goal")}


@pytest.mark.parametrize("name", ["resnet50", "timm/vit_tiny_patch16_224", "own"])
def test_another_classifier_has_none(name):
    assert attack_strength(name) == {}
