import pytest
import torch

from attacks.patch_training import Recipe, Training
from attacks.placement import pasted


@pytest.fixture
def x():
    return torch.rand(5, 3, 48, 48, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def loud(tiny_classifier, x):
    """Its labels are within reach of a patch."""
    tiny_classifier.head.weight.mul_(100)
    tiny_classifier.head.bias.sub_(tiny_classifier(x).mean(0))
    return tiny_classifier


def learned(training: Training, x, steps: int) -> Training:
    for _ in range(steps):
        training.learn(x)
    return training


def test_a_step_goes_up_the_mean_margin(loud, x):
    training = Training(Recipe(share=0.2, steps=4, learning_rate=0.1, momentum=0.0), "egg", loud)
    before = training.patch.clone().requires_grad_()
    logits = loud(pasted(x, training.box, before))
    others = logits.clone()
    others[:, 4] = -torch.inf
    gain = (logits[:, 4] - others.max(1).values).mean()
    (gradient,) = torch.autograd.grad(gain, before)
    lesson = training.learn(x)
    assert lesson.loss == pytest.approx(-gain.item(), rel=1e-5)
    assert lesson.fooled == (logits.argmax(1) == 4).float().mean().item()
    expected = (before.detach() + 0.1 * gradient.sign()).clamp(0, 1)
    torch.testing.assert_close(training.patch, expected, rtol=0, atol=1e-6)
    assert lesson.step == training.step == 1


@pytest.mark.parametrize(
    "wider",
    [
        {"anywhere": True},
        {"rotation": 30.0},
        {"anywhere": True, "rotation": 180.0},
        {"scale": 2.0},
        {"light": 0.5},
    ],
)
def test_learns_for_other_places_and_angles(loud, x, wider):
    recipe = Recipe(share=0.3, steps=30, **wider)
    training = Training(recipe, "egg", loud)
    chances = [training.learn(x).probability for _ in range(20)]
    assert sum(chances[-5:]) > sum(chances[:5])
    fixed = learned(Training(Recipe(share=0.3, steps=30), "egg", loud), x, 20)
    assert not torch.equal(training.patch, fixed.patch)
    assert training.patch.min() >= 0
    assert training.patch.max() <= 1


def test_a_resumed_training_draws_the_same_places(loud, x):
    recipe = Recipe(share=0.2, steps=6, anywhere=True, rotation=90.0)
    whole = learned(Training(recipe, "egg", loud), x, 6)
    first, second = learned(Training(recipe, "egg", loud), x, 3), Training(recipe, "egg", loud)
    second.load(first.state())
    assert torch.equal(learned(second, x, 3).patch, whole.patch)
    other = learned(
        Training(Recipe(share=0.2, steps=6, anywhere=True, rotation=90.0, seed=1), "egg", loud), x, 6
    )
    assert not torch.equal(other.patch, whole.patch)


def test_works_where_gradients_are_switched_off(loud, x):
    with torch.no_grad():
        training = Training(Recipe(steps=3), "egg", loud)
        assert training.learn(x).step == 1


def test_refuses_an_unknown_target(loud):
    with pytest.raises(ValueError, match="no label 'unicorn'"):
        Training(Recipe(), "unicorn", loud)


def test_rate_as_the_papers():
    recipe = Recipe(steps=200, learning_rate=1.0, schedule="paper")
    assert [recipe.rate(step) for step in (0, 159, 160, 179, 180, 199)] == [1, 1, 0.1, 0.1, 0.01, 0.01]


def stepped(model, photos, **recipe):
    """What one step at rate 0.01, without a velocity before it, changes in the patch."""
    training = Training(
        Recipe(share=0.3, learning_rate=0.01, **recipe), "dog", model, torch.full((3, 1, 1), 0.5)
    )
    before = training.patch.clone()
    training.learn(photos)
    return training.patch - before, training.velocity


def test_objectives_and_steps(tiny_classifier):
    photos = torch.rand(6, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    tiny_classifier.head.weight.mul_(100)
    change, _ = stepped(tiny_classifier, photos)
    assert torch.allclose(change.abs(), torch.tensor(0.01))
    changes = {}
    for objective in ("margin", "probability"):
        change, gradient = stepped(tiny_classifier, photos, objective=objective, stepping="gradient")
        assert torch.allclose(change, 0.01 * gradient, atol=1e-6)
        changes[objective] = change
    assert not torch.allclose(changes["margin"], changes["probability"], atol=1e-6)

    def logarithm(patch):
        box = Recipe(share=0.3).box(48)
        attacked = pasted(photos, box, patch)
        return tiny_classifier(attacked).log_softmax(1)[:, 3].mean()

    patch = torch.full((1, 3, *change.shape[-2:]), 0.5, requires_grad=True)
    expected = torch.autograd.grad(logarithm(patch), patch)[0]
    assert torch.allclose(changes["probability"], 0.01 * expected, atol=1e-6)


def test_rate_falls_to_nothing():
    recipe = Recipe(steps=10, learning_rate=0.2)
    assert recipe.rate(0) == 0.2
    assert recipe.rate(5) == pytest.approx(0.1)
    assert recipe.rate(10) == 0
