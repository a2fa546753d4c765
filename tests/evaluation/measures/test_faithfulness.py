"""The deletion test against its definition, one photo and one place at a time."""

import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from evaluation.measures.faithfulness import health_of, left, places
from explain import object_map


def test_the_places_are_those_of_the_largest_and_the_smallest_values():
    maps = torch.rand(2, 1, 6, 7, generator=torch.Generator().manual_seed(0))
    for photo, values in enumerate(maps.flatten(1).tolist()):
        for hottest in (True, False):
            wanted = sorted(range(42), key=values.__getitem__, reverse=hottest)[:13]  # 30 % of 42
            expected = torch.zeros(42)
            expected[wanted] = 1
            assert torch.equal(places(maps, 0.3, hottest=hottest)[photo].flatten(), expected)


def test_where_a_map_is_the_same_everywhere_both_ends_are_the_same_places():
    flat = torch.full((2, 1, 9, 10), 0.4)
    hottest, coldest = (places(flat, 0.3, hottest=hot) for hot in (True, False))
    assert torch.equal(hottest, coldest)
    assert torch.equal(hottest[0], hottest[1])
    assert hottest[0].sum() == 27
    # A single place that stands out is all that differs.
    flat[0, 0, 2, 3] = 1
    assert places(flat, 0.3, hottest=True)[0, 0, 2, 3] == 1
    assert places(flat, 0.3, hottest=False)[0, 0, 2, 3] == 0


@pytest.mark.parametrize("hottest", [True, False])
def test_what_is_left_is_the_probability_of_the_photo_with_those_places_blurred(
    tiny_classifier, photos, hottest
):
    x, model = photos.double(), tiny_classifier.double()
    maps, labels = object_map(x, model), torch.tensor([2, 0, 4])
    result = left(model, x, maps, labels, hottest=hottest)
    for number in range(3):
        away = places(maps, 0.3, hottest=hottest)[number, 0].bool()
        photo = x[number].clone()
        for channel in range(3):
            soft = gaussian_filter(x[number, channel].numpy(), 53 / 16, mode="mirror")
            photo[channel][away] = torch.from_numpy(soft)[away]
        expected = model(photo[None]).softmax(1)[0, labels[number]]
        torch.testing.assert_close(result[number], expected, rtol=1e-6, atol=1e-9)


def test_the_health_is_the_mean_over_the_photos(tiny_classifier, photos):
    x, model = photos.double(), tiny_classifier.double()
    model.head.weight.mul_(50)
    maps = object_map(x, model)
    maps[1] = 0
    health = health_of(model, x, maps)
    before, labels = model(x).softmax(1).max(1)
    hot, cold = (left(model, x, maps, labels, hottest=hottest) for hottest in (True, False))
    assert health.photos == 3
    assert health.constant == health.empty == pytest.approx(1 / 3)
    assert health.hottest == pytest.approx(float(sum(hot) / sum(before)))
    assert health.coldest == pytest.approx(float(sum(cold) / sum(before)))
    gaps = (cold - hot).tolist()
    mean = sum(gaps) / 3
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / 2)
    assert gaps[1] == pytest.approx(0, abs=1e-12)
    assert (health.gap, health.low, health.high) == pytest.approx(
        (mean, mean - 1.959964 * spread / math.sqrt(3), mean + 1.959964 * spread / math.sqrt(3))
    )
