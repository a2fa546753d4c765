"""The gradient of a random model is the mean of its draws' gradients, not that of their mean answer."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attacks import ATTACKS
from attacks.slope import slope

Y = torch.tensor([1, 2, 4])


class Shaky(nn.Module):
    """Answers with another contrast each time it is asked."""

    def __init__(self, model, draws):
        super().__init__()
        self.model, self.draws, self.asked = model, draws, 0

    def forward(self, x):
        self.asked += 1
        return (1 + 20 * (self.asked % 3)) * self.model(x)


def cross_entropy(logits):
    return F.cross_entropy(logits, Y, reduction="none")


def test_it_is_the_mean_over_the_draws(photos, tiny_classifier):
    x, model = photos.double(), tiny_classifier.double()
    gradient, loss, probabilities = slope(x, Shaky(model, 3), cross_entropy)
    photo = x.clone().requires_grad_()
    answers = [(1 + 20 * number) * model(photo) for number in (1, 2, 0)]
    losses = torch.stack([cross_entropy(answer) for answer in answers]).mean(0)
    torch.testing.assert_close(loss, losses.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(losses.sum(), photo, retain_graph=True)[0])
    torch.testing.assert_close(
        probabilities, torch.stack([one.softmax(1) for one in answers]).mean(0).detach()
    )
    of_the_mean = torch.autograd.grad(cross_entropy(torch.stack(answers).mean(0)).sum(), photo)[0]
    assert not torch.allclose(gradient, of_the_mean)


def test_a_model_that_says_nothing_of_draws_is_asked_once(photos, tiny_classifier):
    gradient, loss, _ = slope(photos, tiny_classifier, cross_entropy)
    photo = photos.clone().requires_grad_()
    expected = cross_entropy(tiny_classifier(photo))
    assert torch.equal(loss, expected)
    assert torch.equal(gradient, torch.autograd.grad(expected.sum(), photo)[0])
    assert not photos.requires_grad


@pytest.mark.parametrize(("name", "more"), [("pgd", 0), ("iterated-fgsm", 0), ("lavan", 1)])
def test_every_iteration_asks_for_all_draws(name, more, photos, tiny_classifier):
    fields = {"iterations": 4} | ({"stop_at": 1.0} if name == "lavan" else {})
    shaky = Shaky(tiny_classifier, 5)
    ATTACKS[name](**fields).run(photos, Y, shaky)
    assert shaky.asked == 4 * 5 + more
