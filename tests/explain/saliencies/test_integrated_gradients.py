"""Integrated Gradients against captum's own gradient function."""

import torch
from captum.attr import IntegratedGradients

from explain import formula, saliency
from explain.saliencies.integrated_gradients import PATH_STEPS
from tests.explain.losses import loss_of


def test_integrated_gradients_equals_captums_without_our_gradient(model, x):
    labels = model(x).topk(3, dim=1).indices
    expected = IntegratedGradients(lambda photos, labels: loss_of(model(photos), labels)).attribute(
        x, additional_forward_args=labels, n_steps=PATH_STEPS
    )
    result = saliency(x, model, method="integrated-gradients", top_k=3)
    torch.testing.assert_close(result, expected.abs().amax(1, keepdim=True), rtol=1e-5, atol=1e-9)


def test_formula(model):
    """Sundararajan et al. 2017, eq. 1 with a black baseline: x times the mean slope on the way to it."""
    shown = r"M = \max_c \left| x \odot \int_0^1 \nabla_x L(\alpha x)\, d\alpha \right|, \quad L = "
    of = r"\sum_{k=1}^{2} \mathrm{CE}(f(x), \hat{y}_k)"
    assert formula("integrated-gradients", model, top_k=2) == shown + of
    assert formula("integrated-gradients", model, loss="top score") == shown + r"\max_y f_y(x)"
