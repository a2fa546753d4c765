"""What an attack says of itself is what it does."""

from dataclasses import dataclass

import pytest
import torch

from attacks import ATTACKS
from attacks.universal_patch import Patch, with_patches
from story import Parametrised, param

LABELS = torch.tensor([1, 2, 4])


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_iterative_where_it_plans_more_than_one_pass(name, photos, tiny_classifier):
    planned = []
    ATTACKS[name]().run(photos, LABELS, tiny_classifier, lambda report: planned.append(report.total))
    assert ATTACKS[name].iterative == any(total > 1 for total in planned)


@pytest.mark.parametrize("name", ATTACKS)
def test_its_seed_is_the_field_that_it_names(name, photos, tiny_classifier):
    cls = ATTACKS[name]
    if not cls.seed_name:
        assert "seed" not in cls().values()
        assert cls().random_seed == 0
        return
    one, other = (cls(**{cls.seed_name: seed}) for seed in (3, 4))
    assert (one.random_seed, other.random_seed) == (3, 4)
    results = [attack.run(photos, LABELS, tiny_classifier).attacked for attack in (one, other)]
    assert not torch.equal(*results)


@pytest.mark.parametrize("name", ATTACKS)
def test_its_goal_is_the_field_that_it_names(name):
    cls = ATTACKS[name]
    assert bool(cls.goal_name) == (cls.targeted == "either")
    if cls.goal_name:
        for goal in ("targeted", "untargeted"):
            assert cls(**{cls.goal_name: goal}).aim == goal


def test_only_a_ready_made_attack_is_after_a_label_by_itself():
    pixels = torch.zeros(3, 4, 4)
    for target in ("cup", None):
        assert with_patches({"mine": Patch(pixels, 0.1, target)})(patch="mine").target_label == target
    assert {name for name, cls in ATTACKS.items() if cls().target_label} <= {"universal-patch"}


def test_a_seed_by_another_name_counts():
    @dataclass(frozen=True)
    class Dice(Parametrised):
        title = "Dice"
        source = "nowhere"
        seed_name = "throw"
        throw: int = param(7, low=0, high=9, step=1, help="which throw")

    assert Dice().random_seed == 7
