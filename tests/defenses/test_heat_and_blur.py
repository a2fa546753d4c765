"""Heat and Blur against SciPy, and where it keeps the photo sharp."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from defenses import HeatAndBlur
from explain import STANDS_IN, STARTS, relevance
from story import by_name


def maps_of(defense, x, model):
    return {step.name: step.map for step in defense.steps(x, model)}


def gaussian(x, sigma):
    return ndimage.gaussian_filter(x, (0, 0, sigma, sigma), mode="mirror") if sigma else x


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "values",
    [{}, {"sigma_hot": 1.5, "sigma_cold": 20.0, "floor": 0.25, "gamma": 0.5, "smoothing": 2.0}],
    ids=["defaults", "others"],
)
def test_equal_to_its_formula(photos, tiny_classifier, start, values):
    x, model = photos.double(), tiny_classifier.double()
    defense = HeatAndBlur(start=start, top_k=2, **values)
    found = maps_of(defense, x, model)
    looked = relevance(x, model, start=start, top_k=2)
    torch.testing.assert_close(found["relevance"], looked)
    warm = gaussian(np.maximum(looked.numpy(), 0), defense.smoothing)
    low, high = warm.min((2, 3), keepdims=True), warm.max((2, 3), keepdims=True)
    heat = defense.floor + (1 - defense.floor) * ((warm - low) / (high - low)) ** defense.gamma
    hot, cold = gaussian(x.numpy(), defense.sigma_hot), gaussian(x.numpy(), defense.sigma_cold)
    np.testing.assert_allclose(found["heat"], heat, atol=1e-9)
    np.testing.assert_allclose(found["hot blur"], hot, atol=1e-12)
    np.testing.assert_allclose(found["cold blur"], cold, atol=1e-12)
    np.testing.assert_allclose(found["result"], heat * hot + (1 - heat) * cold, atol=1e-9)


def test_warm_places_stay_sharp_and_cold_ones_do_not(photos, tiny_classifier):
    found = maps_of(HeatAndBlur(sigma_hot=0.0, floor=0.0), photos, tiny_classifier)
    heat, change = found["heat"], (found["result"] - found["cold blur"]).abs().amax(1, keepdim=True)
    torch.testing.assert_close(
        found["result"][(heat == 1).expand_as(photos)], photos[(heat == 1).expand_as(photos)]
    )
    assert change[heat == 0].max() < 1e-6


def test_all_warm_is_the_photo_and_all_cold_its_blur(photos, tiny_classifier):
    torch.testing.assert_close(HeatAndBlur(sigma_hot=0.0, floor=1.0)(photos, tiny_classifier), photos)
    torch.nn.init.zeros_(
        tiny_classifier.network.features[0][0].weight
    )  # sees nothing, so nothing is relevant
    found = maps_of(HeatAndBlur(floor=0.0), photos, tiny_classifier)
    assert not found["relevance"].any()
    assert not found["heat"].any()
    assert torch.equal(found["result"], found["cold blur"])


def test_a_network_of_another_kind_is_said_to_be_one(photos, tiny_classifier):
    network = tiny_classifier.network
    usual = by_name(HeatAndBlur().steps(photos, tiny_classifier), "relevance")
    tiny_classifier.network = torch.nn.Sequential(
        network.features, network.pool, torch.nn.Flatten(), network.head
    )
    instead = by_name(HeatAndBlur().steps(photos, tiny_classifier), "relevance")
    assert usual.note != instead.note == STANDS_IN
    assert (instead.map >= 0).all()
