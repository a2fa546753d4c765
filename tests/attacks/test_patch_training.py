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


@pytest.mark.parametrize("wider", [{"anywhere": True}, {"turn": 30.0}, {"anywhere": True, "turn": 180.0}])
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
    recipe = Recipe(share=0.2, steps=6, anywhere=True, turn=90.0)
    whole = learned(Training(recipe, "egg", loud), x, 6)
    first, second = learned(Training(recipe, "egg", loud), x, 3), Training(recipe, "egg", loud)
    second.load(first.state())
    assert torch.equal(learned(second, x, 3).patch, whole.patch)
    other = learned(Training(Recipe(share=0.2, steps=6, anywhere=True, turn=90.0, seed=1), "egg", loud), x, 6)
    assert not torch.equal(other.patch, whole.patch)


def test_works_where_gradients_are_switched_off(loud, x):
    with torch.no_grad():
        training = Training(Recipe(steps=3), "egg", loud)
        assert training.learn(x).step == 1


def test_refuses_another_target_and_an_unknown_one(loud):
    state = Training(Recipe(), "egg", loud).state()
    with pytest.raises(ValueError, match="another recipe or classifier"):
        Training(Recipe(), "dog", loud).load(state)
    with pytest.raises(ValueError, match="no label 'unicorn'"):
        Training(Recipe(), "unicorn", loud)
