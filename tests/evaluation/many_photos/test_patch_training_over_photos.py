import pytest
import torch
from scipy.stats import binomtest

from attacks.patch_training import Recipe, Training
from evaluation.many_photos.patch_training import Effect, lessons, measured


@pytest.fixture
def training(tiny_classifier):
    return Training(Recipe(share=0.2, steps=3, batch=4), "egg", tiny_classifier)


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    sizes = [(60, 80), (70, 50), (64, 64)]
    return [torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8) for size in sizes]


def test_every_step_is_told_and_draws_from_all_photos(training, pictures):
    asked = []

    def photos(chosen):
        asked.append(chosen)
        return [pictures[number] for number in chosen]

    told = list(lessons(training, len(pictures), photos))
    assert [lesson.step for lesson in told] == [1, 2, 3]
    assert [len(chosen) for chosen in asked] == [4, 4, 4]
    assert {number for chosen in asked for number in chosen} == {0, 1, 2}
    assert list(lessons(training, len(pictures), photos)) == []


def test_counts_only_photos_that_are_not_called_so_already(training, tiny_classifier):
    x = torch.rand(6, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    tiny_classifier.head.weight.mul_(100)
    tiny_classifier.head.bias.sub_(tiny_classifier(x).mean(0))
    clean = tiny_classifier(x).argmax(1)
    training.target = int(clean.mode().values)
    attacked = x.clone()
    training.box.of(attacked).copy_(training.patch)
    said = tiny_classifier(attacked).softmax(1)[clean != training.target]
    found = measured(training.patch, training, x.split(4)).figures
    assert 0 < found["photos"] == len(said) < 6
    assert found["fooled"] == pytest.approx(
        (said.argmax(1) == training.target).float().mean().item(), abs=1e-4
    )
    assert found["probability"] == pytest.approx(said[:, training.target].mean().item(), abs=1e-4)
    assert 0 <= found["fooled turned"] <= 1
    assert 0 <= found["fooled anywhere"] <= 1


def test_nothing_to_count_is_no_share(training, tiny_classifier):
    tiny_classifier.head.bias[4] = 1e6
    x = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    effect = measured(training.patch, training, [x])
    found = effect.figures
    assert set(found.values()) == {0}
    assert set(found) == {"photos", "probability", "fooled", "fooled turned", "fooled anywhere"}
    assert effect.intervals == {name: [0.0, 1.0] for name in effect.hits}


def test_effects_add_up_and_have_wilsons_interval():
    hits = {"fooled": 3, "fooled turned": 0, "fooled anywhere": 4}
    total = Effect(4, hits, 2.5) + Effect(6, dict.fromkeys(hits, 2), 1.5)
    assert total.figures == {
        "photos": 10,
        "probability": 0.4,
        "fooled": 0.5,
        "fooled turned": 0.2,
        "fooled anywhere": 0.6,
    }
    for name, count in total.hits.items():
        expected = binomtest(count, 10).proportion_ci(0.95, method="wilson")
        assert total.intervals[name] == pytest.approx([expected.low, expected.high], abs=1e-4)
