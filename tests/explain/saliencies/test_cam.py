"""The class activation map against its definition."""

import torch
import torch.nn.functional as F

from explain import formula, saliency
from tests.explain.small import behind_a_maximum, where_the_maxima_are


def test_cam_is_exact(model, x):
    """The mean of the predicted label's map, plus its bias, is how far its logit is above the mean of all."""
    scores, features = model.with_features(x)
    of_average, usual = sum(model.head.weight) / 5, sum(model.head.bias) / 5
    for photo in range(3):
        label = int(scores[photo].argmax())
        weights = model.head.weight[label] - of_average
        small = sum(weight * plane for weight, plane in zip(weights, features[photo], strict=True))
        above = scores[photo, label] - scores[photo].mean()
        torch.testing.assert_close(small.mean() + model.head.bias[label] - usual, above)
        large = F.interpolate(small.clamp(min=0)[None, None], (44, 53), mode="bilinear")[0]
        torch.testing.assert_close(saliency(x, model, method="cam")[photo], large)


def test_cam_of_a_network_without_a_linear_head_is_what_speaks_for_the_label(x):
    """LayerCAM: behind a maximum it lies where the maxima are, and what speaks against is left out."""
    model, linear = behind_a_maximum()
    weights = linear.weight[model(x).argmax(1)] - sum(linear.weight) / 5
    assert (weights < 0).any()
    expected = where_the_maxima_are(model, x, weights.clamp(min=0))
    assert expected.amax((1, 2, 3)).all()
    torch.testing.assert_close(saliency(x, model, method="cam"), expected)


def test_formula(model):
    """Zhou et al. 2016, eq. 2, its positive part; without a head LayerCAM: Jiang et al. 2021, eq. 4-7.

    Both of the logit's distance from the mean of all.
    """
    exact = r"M = \mathrm{ReLU}\left( \sum_k (w_{\hat{y} k} - \overline{w}_k)\, A_k \right)"
    for options in ({}, {"top_k": 1}, {"loss": "top score"}):
        assert formula("cam", model, **options) == exact
    model.head = None
    slope = r"\mathrm{ReLU}\left( \frac{\partial (f_{\hat{y}} - \overline{f})}{\partial A_k} \right)"
    expected = rf"M = \mathrm{{ReLU}}\left( \sum_k {slope} \odot A_k \right)"
    assert formula("cam", model) == expected
