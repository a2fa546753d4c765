"""Asking for a saliency: by which method, of which loss, and the share of it inside a mask."""

import pytest
import torch

from explain import Memo, logits, remembering, resolved_method, saliency, share_inside


def test_auto_is_the_models_own(model, x):
    model.saliency = "cam"
    assert resolved_method("auto", model) == "cam"
    assert resolved_method("gradient", model) == "gradient"
    assert torch.equal(saliency(x, model, method="auto"), saliency(x, model, method="cam"))


def test_unknown_words_are_named(model, x):
    with pytest.raises(ValueError, match=r"saliency is one of auto, gradient, cam.*not 'lime'"):
        saliency(x, model, method="lime")
    with pytest.raises(ValueError, match=r"loss is one of cross-entropy, top score, not 'hinge'"):
        saliency(x, model, method="gradient", loss="hinge")


def test_logits_are_remembered(model, x):
    passes = []
    model.register_forward_pre_hook(lambda *_: passes.append(1))
    with remembering(Memo(10**7)):
        first = logits(x, model)
        assert torch.equal(first, logits(x, model))
    assert len(passes) == 1
    assert torch.equal(first, model(x))


def test_share_inside_is_a_share_of_the_mass_of_each_map():
    maps = torch.tensor([[[[1.0, 3.0], [0.0, 4.0]]], [[[0.0, 0.0], [0.0, 0.0]]]])
    mask = torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    assert share_inside(maps, mask).tolist() == [3 / 8, 0]
