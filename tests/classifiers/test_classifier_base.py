import copy
import threading

import pytest
import torch

from classifiers.base import Classifier


def hooks(model):
    return sum(len(module._forward_hooks) + len(module._backward_hooks) for module in model.modules())


class TestIndex:
    def test_whatever_the_case(self, tiny_classifier):
        assert [tiny_classifier.index(label) for label in tiny_classifier.labels] == [0, 1, 2, 3, 4]
        assert tiny_classifier.index(" DOG ") == 3

    def test_where_two_differ_by_case_the_one_written_alike(self, tiny_classifier):
        tiny_classifier.labels = ("Cardigan", "cardigan", "CAR")
        assert tiny_classifier.index("Cardigan") == 0
        assert tiny_classifier.index("cardigan") == 1
        assert tiny_classifier.index("CARDIGAN") == 0

    def test_labels_that_contain_the_word_are_suggested(self, tiny_classifier):
        tiny_classifier.labels = ("sports car", "race car", "tram")
        with pytest.raises(
            ValueError, match=r"^tiny has no label 'car'; did you mean sports car, race car\?$"
        ):
            tiny_classifier.index("car")

    def test_labels_that_are_spelled_alike_are_suggested(self, tiny_classifier):
        with pytest.raises(ValueError, match=r"did you mean apple\?$"):
            tiny_classifier.index("aple")

    @pytest.mark.parametrize("label", ["zzz", "", "  "])
    def test_no_suggestion_without_likeness(self, tiny_classifier, label):
        with pytest.raises(ValueError, match=f"^tiny has no label {label!r}$"):
            tiny_classifier.index(label)


class TestTop:
    def test_likeliest_first_for_each_row(self, tiny_classifier):
        logits = torch.tensor([[0.0, 1, 2, 3, 4], [4.0, 3, 2, 1, 0]])
        first, second = tiny_classifier.top(logits, 2)
        assert [line.label for line in first] == ["egg", "dog"]
        assert [line.label for line in second] == ["apple", "bear"]
        assert first[0].probability == pytest.approx(logits[0].softmax(0)[4].item())

    def test_never_more_than_there_are(self, tiny_classifier):
        (line,) = tiny_classifier.top(torch.zeros(1, 5), 9)
        assert len(line) == 5
        assert sum(prediction.probability for prediction in line) == pytest.approx(1)


class TestForward:
    def test_normalises_inside(self, tiny_classifier):
        x = torch.rand(2, 3, 48, 48)
        mean, std = torch.tensor([0.5, 0.45, 0.4]), torch.tensor([0.2, 0.25, 0.3])
        expected = tiny_classifier.network((x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
        assert torch.equal(tiny_classifier(x), expected)

    def test_weights_are_frozen_and_the_photo_is_differentiable(self, tiny_classifier):
        x = torch.rand(1, 3, 48, 48, requires_grad=True)
        (gradient,) = torch.autograd.grad(tiny_classifier(x)[0, 2], x)
        assert gradient.abs().sum() > 0
        assert not any(weight.requires_grad for weight in tiny_classifier.parameters())
        assert not tiny_classifier.training

    def test_too_small_a_photo_is_one_sentence(self, tiny_classifier):
        tiny_classifier.smallest_size = 32
        with pytest.raises(
            ValueError, match="tiny needs photos of at least 32 px a side; 31 x 40 is too small"
        ):
            tiny_classifier(torch.rand(1, 3, 31, 40))


class TestWithFeatures:
    def test_one_pass_gives_both_and_they_fit(self, tiny_classifier):
        x = torch.rand(2, 3, 48, 48, requires_grad=True)
        logits, features = tiny_classifier.with_features(x)
        assert torch.equal(logits, tiny_classifier(x))
        assert features.shape == (2, 24, 2, 2)
        assert torch.allclose(tiny_classifier.head(features.mean((2, 3))), logits, atol=1e-6)
        assert torch.autograd.grad(logits[0, 0], features, retain_graph=True)[0].abs().sum() > 0

    def test_leaves_no_hooks(self, tiny_classifier):
        tiny_classifier.with_features(torch.rand(1, 3, 48, 48))
        assert hooks(tiny_classifier) == 0

    def test_leaves_no_hooks_after_an_error(self, tiny_classifier):
        with pytest.raises(RuntimeError):
            tiny_classifier.with_features(torch.rand(1, 5, 48, 48))
        assert hooks(tiny_classifier) == 0

    def test_threads_do_not_get_each_others_features(self, tiny_classifier):
        inside, go_on = threading.Event(), threading.Event()
        network = tiny_classifier.network

        def pause(_module, inputs):
            if inputs[0].shape[0] == 1:
                inside.set()
                assert go_on.wait(10)

        features = {}
        one, three = torch.rand(1, 3, 48, 48), torch.rand(3, 3, 48, 48)
        hook = network.head.register_forward_pre_hook(pause)  # behind the stage, before the hook is taken off
        worker = threading.Thread(target=lambda: features.update(one=tiny_classifier.with_features(one)[1]))
        worker.start()
        assert inside.wait(10)
        features["three"] = tiny_classifier.with_features(three)[1]
        go_on.set()
        worker.join(10)
        hook.remove()
        assert features["one"].shape[0] == 1
        assert features["three"].shape[0] == 3


def test_stage_and_head_follow_a_copy_and_are_registered_once(tiny_classifier):
    assert {name.split(".")[0] for name in tiny_classifier.state_dict()} == {"network"}
    copied = copy.deepcopy(tiny_classifier)
    assert isinstance(copied, Classifier)
    assert copied.stage is copied.network.features
    assert copied.stage is not tiny_classifier.stage
    assert copied.head is copied.network.head


def test_gradients_come_in_the_photos_own_order(tiny_classifier, photos):
    """Inside, the order is another one; a second derivative passes through it too."""
    model, x = tiny_classifier.double(), photos.double().requires_grad_()
    assert model.normalised(x).is_contiguous(memory_format=torch.channels_last)
    (slope,) = torch.autograd.grad(model(x).logsumexp(1).sum(), x, create_graph=True)
    assert slope.is_contiguous()
    (curve,) = torch.autograd.grad(slope.square().sum(), x)
    step = 1e-6 * torch.ones_like(x)

    def steepness(photos):
        leaf = photos.detach().requires_grad_()
        return torch.autograd.grad(model(leaf).logsumexp(1).sum(), leaf)[0].square().sum()

    expected = (steepness(x + step) - steepness(x - step)) / 2e-6
    torch.testing.assert_close(curve.sum(), expected, rtol=1e-3, atol=1e-8)
