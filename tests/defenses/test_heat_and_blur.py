"""Heat and Blur against SciPy, and where it keeps the photo sharp."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from defenses import HeatAndBlur
from explain import STANDS_IN, STARTS, relevance
from story import by_name
from tests.formulas import changes, formulas


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
    maps = maps_of(defense, x, model)
    looked = relevance(x, model, start=start, top_k=2)
    torch.testing.assert_close(maps["relevance"], looked)
    warm = gaussian(np.maximum(looked.numpy(), 0), defense.smoothing)
    low, high = warm.min((2, 3), keepdims=True), warm.max((2, 3), keepdims=True)
    heat = defense.floor + (1 - defense.floor) * ((warm - low) / (high - low)) ** defense.gamma
    hot, cold = gaussian(x.numpy(), defense.sigma_hot), gaussian(x.numpy(), defense.sigma_cold)
    np.testing.assert_allclose(maps["heat"], heat, atol=1e-9)
    np.testing.assert_allclose(maps["hot blur"], hot, atol=1e-12)
    np.testing.assert_allclose(maps["cold blur"], cold, atol=1e-12)
    np.testing.assert_allclose(maps["result"], heat * hot + (1 - heat) * cold, atol=1e-9)


def test_warm_places_stay_sharp_and_cold_ones_do_not(photos, tiny_classifier):
    maps = maps_of(HeatAndBlur(sigma_hot=0.0, floor=0.0), photos, tiny_classifier)
    heat, change = maps["heat"], (maps["result"] - maps["cold blur"]).abs().amax(1, keepdim=True)
    torch.testing.assert_close(
        maps["result"][(heat == 1).expand_as(photos)], photos[(heat == 1).expand_as(photos)]
    )
    assert change[heat == 0].max() < 1e-6


def test_all_warm_is_the_photo_and_all_cold_its_blur(photos, tiny_classifier):
    torch.testing.assert_close(HeatAndBlur(sigma_hot=0.0, floor=1.0)(photos, tiny_classifier), photos)
    torch.nn.init.zeros_(
        tiny_classifier.network.features[0][0].weight
    )  # sees nothing, so nothing is relevant
    maps = maps_of(HeatAndBlur(floor=0.0), photos, tiny_classifier)
    assert not maps["relevance"].any()
    assert not maps["heat"].any()
    assert torch.equal(maps["result"], maps["cold blur"])


def test_a_network_of_another_kind_is_said_to_be_one(photos, tiny_classifier):
    network = tiny_classifier.network
    usual = by_name(HeatAndBlur().steps(photos, tiny_classifier), "relevance")
    tiny_classifier.network = torch.nn.Sequential(
        network.features, network.pool, torch.nn.Flatten(), network.head
    )
    instead = by_name(HeatAndBlur().steps(photos, tiny_classifier), "relevance")
    assert usual.note != instead.note == STANDS_IN
    assert (instead.map >= 0).all()


STEPS = {
    "photo": "x",
    "relevance": r"R = \mathrm{LRP}(A), \quad A = \text{activity of the last stage}",
    "heat": r"H = b + (1 - b)\, \mathrm{minmax}(G * \max(R, 0))^{\gamma}",
    "hot blur": r"x_\mathrm{hot} = G_{\sigma_\mathrm{hot}} * x",
    "cold blur": r"x_\mathrm{cold} = G_{\sigma_\mathrm{cold}} * x",
    "result": r"x' = H \odot x_\mathrm{hot} + (1 - H) \odot x_\mathrm{cold}",
    "difference": r"\max_c \left| x' - x \right|",
}


def test_steps_and_their_formulas(photos, tiny_classifier):
    assert formulas(HeatAndBlur(), photos, tiny_classifier) == STEPS
    assert changes(HeatAndBlur, photos[:1], tiny_classifier) == {
        ("start", "predicted"): {"relevance": r"R = \mathrm{LRP}(f_{\hat{y}} - \overline{f})"},
        ("start", "top-k"): {"relevance": r"R = \mathrm{LRP} \sum_{k=1}^{K} (f_{\hat{y}_k} - \overline{f})"},
    }


def test_the_formulas_of_a_class_map_in_place_of_relevance(photos, tiny_classifier):
    """The positive part of the map of the predicted label, or of each of the top K, added up."""
    network = tiny_classifier.network
    tiny_classifier.network = torch.nn.Sequential(
        network.features, network.pool, torch.nn.Flatten(), network.head
    )
    exact = r"\mathrm{ReLU}\left( \sum_k (w_{\hat{y} k} - \overline{w}_k)\, A_k \right)"
    assert formulas(HeatAndBlur(), photos, tiny_classifier) == STEPS | {"relevance": f"R = {exact}"}
    weighed = r"\sum_k (w_{\hat{y}_i k} - \overline{w}_k)\, A_k"
    of_each = rf"R = \sum_{{i=1}}^{{K}} \mathrm{{ReLU}}\left( {weighed} \right)"
    assert changes(HeatAndBlur, photos[:1], tiny_classifier) == {("start", "top-k"): {"relevance": of_each}}
    tiny_classifier.head = None
    slope = (
        r"\mathrm{ReLU}\left( \frac{\partial (f_{\hat{y}_i} - \overline{f})}{\partial A_k} \right) \odot A_k"
    )
    layered = formulas(HeatAndBlur(start="top-k"), photos, tiny_classifier)["relevance"]
    assert layered == rf"R = \sum_{{i=1}}^{{K}} \mathrm{{ReLU}}\left( \sum_k {slope} \right)"
