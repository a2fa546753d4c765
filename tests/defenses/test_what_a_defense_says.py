"""What a defense says of itself is what it does."""

import pytest
import torch

from defenses import DEFENSES, Looking
from story import by_name


@pytest.fixture
def busy():
    return torch.rand(1, 3, 40, 30, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", DEFENSES)
def test_its_seed_is_the_field_that_it_names(name):
    cls = DEFENSES[name]
    if not cls.seed_name:
        assert "seed" not in cls().values()
        return
    assert isinstance(cls.parameter(cls.seed_name).default, int)
    assert cls().redrawn(5).random_seed == 5


@pytest.mark.parametrize("name", [name for name, cls in DEFENSES.items() if cls.strength_name])
def test_without_strength_the_photo_stays_and_with_more_it_changes_more(name, busy, tiny_classifier):
    cls, threshold = DEFENSES[name], {"threshold": 0.0}
    results = [
        cls(**{cls.strength_name: strength}, **threshold)(busy, tiny_classifier) for strength in (0, 1, 3)
    ]
    assert torch.equal(results[0], busy)
    changes = [float((result - busy).abs().sum()) for result in results]
    assert changes[0] < changes[1] < changes[2]


@pytest.mark.parametrize("name", DEFENSES)
def test_it_looks_where_one_of_its_steps_is_the_saliency(name, busy, tiny_classifier):
    defense = DEFENSES[name]()
    steps = defense.steps(busy, tiny_classifier)
    assert isinstance(defense, Looking) == ("saliency" in [step.name for step in steps])
    if isinstance(defense, Looking):
        assert torch.equal(by_name(steps, "saliency").map, defense.look(busy, tiny_classifier))
        assert defense.hopes.endswith(".")
