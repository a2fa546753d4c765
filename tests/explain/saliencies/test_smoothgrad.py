"""SmoothGrad against a plain loop."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from explain import formula, saliency
from explain.saliencies.smoothgrad import NOISE, SAMPLES
from tests.explain.losses import loss_of
from tests.explain.small import small_classifier


def test_smoothgrad_equals_a_plain_loop_over_numpys_mean(model, x):
    labels = model(x).topk(3, dim=1).indices
    generator = torch.Generator().manual_seed(7)
    gradients = []
    for _ in range(SAMPLES):
        noise = torch.randn(3, 44, 53, generator=generator)
        noisy = (x + NOISE * noise).requires_grad_()
        gradients.append(torch.autograd.grad(loss_of(model(noisy), labels).sum(), noisy)[0].numpy())
    expected = np.abs(np.mean(gradients, axis=0)).max(1, keepdims=True)
    result = saliency(x, model, method="smoothgrad", top_k=3, seed=7)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_the_noise_is_within_what_the_paper_advises():
    assert 0.1 <= NOISE <= 0.2


def test_smoothgrad_keeps_to_the_label_of_the_photo_itself():
    """On its noisy copies the label wavers, and slopes towards both labels would cancel out."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    model = small_classifier(network, network[0])
    x = torch.full((1, 3, 4, 4), 0.5, dtype=torch.float64)
    with torch.no_grad():
        network[1].weight[1] = -network[1].weight[0]
        network[1].bias.copy_(torch.tensor([1e-3, 0.0]) - network[1].weight @ x.flatten())
    generator = torch.Generator().manual_seed(0)
    noisy = [x + NOISE * torch.randn(3, 4, 4, generator=generator) for _ in range(SAMPLES)]
    assert {int(model(photo).argmax()) for photo in noisy} == {0, 1}

    slopes = []
    for photo in noisy:
        leaf = photo.clone().requires_grad_()
        slopes.append(torch.autograd.grad(F.cross_entropy(model(leaf), model(x).argmax(1)), leaf)[0])
    expected = torch.stack(slopes).mean(0).abs().amax(1, keepdim=True)
    torch.testing.assert_close(saliency(x, model, method="smoothgrad", top_k=1, seed=0), expected)


def test_formula(model):
    """Smilkov et al. 2017: the slopes at noisy copies, averaged before the absolute value is taken."""
    shown = r"M = \max_c \left| \frac{1}{n} \sum_{i=1}^{n} \nabla_x L(x + \sigma z_i) \right|, \quad L = "
    of = r"\sum_{k=1}^{2} \mathrm{CE}(f(x), \hat{y}_k)"
    assert formula("smoothgrad", model, top_k=2) == shown + of
    assert formula("smoothgrad", model, loss="top score") == shown + r"\max_y f_y(x)"
