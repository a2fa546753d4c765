"""HiResCAM beside the class activation map, and behind a maximum."""

import torch

from explain import formula, saliency
from explain.class_maps import evidence
from tests.explain.small import behind_a_maximum, where_the_maxima_are


def test_hirescam_is_cam_over_its_pixels_where_cam_is_exact(model, x):
    pixels = model.with_features(x)[1][0, 0].numel()
    exact = saliency(x, model, method="cam") / pixels
    torch.testing.assert_close(saliency(x, model, method="hirescam"), exact)
    model.head = None
    torch.testing.assert_close(saliency(x, model, method="hirescam"), exact)


def test_hirescam_lies_where_the_maxima_are(x):
    """Behind a maximum over all places each channel counts at one place, and there with all of its score."""
    model, linear = behind_a_maximum()
    scores = model(x)
    by_place = evidence(x, model)
    weights = linear.weight[scores.argmax(1)] - sum(linear.weight) / 5
    torch.testing.assert_close(by_place, where_the_maxima_are(model, x, weights))
    torch.testing.assert_close(by_place.sum((1, 2, 3)), scores.amax(1) - scores.mean(1))
    torch.testing.assert_close(saliency(x, model, method="hirescam"), by_place.clamp(min=0))


def test_formula(model):
    """Draelos and Carin 2020, eq. 3: slopes times features, head or not; of the distance from the mean."""
    slope = r"\frac{\partial (f_{\hat{y}} - \overline{f})}{\partial A_k}"
    expected = rf"M = \mathrm{{ReLU}}\left( \sum_k {slope} \odot A_k \right)"
    for options in ({}, {"top_k": 1}, {"loss": "top score"}):
        assert formula("hirescam", model, **options) == expected
    model.head = None
    assert formula("hirescam", model) == expected
