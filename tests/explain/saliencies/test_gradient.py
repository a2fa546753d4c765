"""The gradient against captum's, and against differences of the loss."""

import pytest
import torch
from captum.attr import Saliency

from explain import formula, saliency
from tests.explain.losses import loss_of


@pytest.mark.parametrize("top_k", [1, 3, 5])
def test_gradient_equals_captums(model, x, top_k):
    labels = model(x).argsort(1, descending=True)[:, :top_k]
    expected = Saliency(lambda photos: loss_of(model(photos), labels)).attribute(x.clone().requires_grad_())
    result = saliency(x, model, method="gradient", top_k=top_k)
    torch.testing.assert_close(result, expected.amax(1, keepdim=True))


def test_gradient_equals_differences_of_the_loss(model, x):
    labels = model(x).topk(2, dim=1).indices
    result = saliency(x, model, method="gradient", top_k=2)
    for row, column in [(6, 32), (25, 15), (40, 45)]:
        slopes = []
        for channel in range(3):
            nudge = torch.zeros_like(x)
            nudge[:, channel, row, column] = 1e-6
            above, below = loss_of(model(x + nudge), labels), loss_of(model(x - nudge), labels)
            slopes.append((above - below) / 2e-6)
        expected = torch.stack(slopes).abs().amax(0)
        torch.testing.assert_close(result[:, 0, row, column], expected, rtol=1e-4, atol=1e-9)


def test_top_score_is_the_gradient_of_the_predicted_labels_logit(model, x):
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=model(x).argmax(1))
    result = saliency(x, model, method="gradient", loss="top score")
    torch.testing.assert_close(result, expected.amax(1, keepdim=True))


def test_more_labels_than_there_are_means_all(model, x):
    result = saliency(x, model, method="gradient", top_k=10)
    assert torch.equal(result, saliency(x, model, method="gradient", top_k=5))


def test_formula(model):
    """∇_x L, its absolute value, the largest over the channels; L as asked for."""
    shown = r"M = \max_c \left| \nabla_x L(x) \right|, \quad L = "
    for top_k in (1, 3, 5):
        of = rf"\sum_{{k=1}}^{{{top_k}}} \mathrm{{CE}}(f(x), \hat{{y}}_k)"
        assert formula("gradient", model, top_k=top_k) == shown + of
        assert formula("gradient", model, top_k=top_k, loss="top score") == shown + r"\max_y f_y(x)"
