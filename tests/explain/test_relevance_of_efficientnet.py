"""Relevance in EfficientNet-Lite: depthwise convolutions, padding, ReLU6 and sums, by a literal loop."""

import numpy as np
import pytest
import torch
from torch import nn

import classifiers
from classifiers.base import Classifier
from classifiers.efficientnet import EfficientNetLite, InvertedBlock, SameConv2d
from classifiers.network import merge_norms
from explain import STARTS, propagates, relevance


@pytest.fixture
def model():
    """Three kinds of block: one that only narrows, strided ones, and one that is added to its input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = EfficientNetLite(5, (4, 6, 7, 8, 8, 8, 8), (1, 2, 1, 0, 0, 0, 0))
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for value, low, high in (
                    (module.weight, 0.5, 2),
                    (module.running_var, 0.1, 0.5),
                    (module.bias, -0.3, 0.5),
                    (module.running_mean, -0.3, 0.3),
                ):
                    nn.init.uniform_(value, low, high)
    merge_norms(network.eval())
    return Classifier(
        "made up",
        network,
        "abcde",
        identity="made up",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        working_size=11,
        stage=network.features,
        head=network.head,
    ).double()


def parts_of(convolution, x):
    """Where each output comes from: ((output, row, column), places in ``x``, what each place adds)."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    if isinstance(convolution, SameConv2d):
        counts = [-(-length // stride) for length in x.shape[1:]]
        before = [
            max(0, (count - 1) * stride + kernel - length) // 2
            for count, length in zip(counts, x.shape[1:], strict=True)
        ]
    else:
        assert (stride, convolution.padding[0]) == (1, kernel // 2)
        counts, before = list(x.shape[1:]), [kernel // 2] * 2
    weight = convolution.weight.numpy()
    inputs = weight.shape[1]
    per_group = len(weight) // convolution.groups
    for output in range(len(weight)):
        first = output // per_group * inputs
        for row in range(counts[0]):
            for column in range(counts[1]):
                top, left = row * stride - before[0], column * stride - before[1]
                rows = slice(max(top, 0), min(top + kernel, x.shape[1]))
                columns = slice(max(left, 0), min(left + kernel, x.shape[2]))
                cut = weight[
                    output, :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
                ]
                place = slice(first, first + inputs), rows, columns
                yield (output, row, column), place, x[place] * cut


def forward(convolution, x):
    sums = {where: parts.sum() for where, _, parts in parts_of(convolution, x)}
    result = np.zeros([1 + max(where[axis] for where in sums) for axis in range(3)])
    for where, value in sums.items():
        result[where] = value + convolution.bias[where[0]].item()
    return result


def back(convolution, x, after):
    """z⁺: what raises an output gets its relevance, in proportion, a bias that raises it too."""
    before = np.zeros_like(x)
    for where, place, parts in parts_of(convolution, x):
        raising = np.maximum(parts, 0)
        total = raising.sum() + max(convolution.bias[where[0]].item(), 0)
        if total:
            before[place] += raising / total * after[where]
    return before


class Walk:
    """Forward through ``module`` on one photo, and relevance back through it."""

    def __init__(self, module, x):
        self.module, self.x = module, x
        self.inside = []
        match module:
            case nn.Conv2d():
                self.y = forward(module, x)
            case nn.ReLU6():
                self.y = np.clip(x, 0, 6)
            case InvertedBlock():
                self.inside = [Walk(module.layers, x)]
                self.y = self.inside[0].y + x if module.adds else self.inside[0].y
            case nn.Sequential():
                self.y = x
                for part in module:
                    self.inside.append(Walk(part, self.y))
                    self.y = self.inside[-1].y

    def back(self, after):
        match self.module:
            case nn.Conv2d():
                return back(self.module, self.x, after)
            case nn.ReLU6():
                return after
            case InvertedBlock() if self.module.adds:
                through = self.inside[0]
                return self.x / self.y * after + through.back(through.y / self.y * after)
        for part in reversed(self.inside):
            after = part.back(after)
        return after


def literal(photo, model, start, top_k):
    """The relevance of one photo (3, H, W)."""
    walk = Walk(model.network.features, (photo.numpy() - 0.5) / 0.25)
    activity = walk.y
    after = activity
    if start != "class-free":
        head = model.head
        means = activity.mean((1, 2))
        scores = head.weight.numpy() @ means + head.bias.numpy()
        top = np.argsort(-scores)[: top_k if start == "top-k" else 1]
        rest = np.setdiff1d(np.arange(5), top)
        weights = head.weight.numpy()
        of_channel = means * (weights[top].sum(0) - len(top) * weights[rest].mean(0))  # the ε rule
        places = activity.sum((1, 2), keepdims=True)
        after = np.divide(activity, places, out=np.zeros_like(activity), where=places > 0)
        after = after * of_channel[:, None, None]
    return walk.back(after).sum(0)


@pytest.mark.parametrize("start", STARTS)
def test_equal_to_a_literal_loop(model, start):
    x = torch.rand(2, 3, 11, 14, dtype=torch.double, generator=torch.Generator().manual_seed(1))
    assert propagates(model)
    with torch.no_grad():
        walk = Walk(model.network.features, (x[0].numpy() - 0.5) / 0.25)
        np.testing.assert_allclose(walk.y, model.with_features(x)[1][0], rtol=1e-9, atol=1e-12)
        assert (walk.inside[0].y < 0).any()
    result = relevance(x, model, start=start, top_k=2, epsilon=1e-13)
    expected = np.stack([literal(photo, model, start, 2) for photo in x])[:, None]
    assert np.abs(expected).max() > 1e-6
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-9 * np.abs(expected).max())


def test_the_classifier_that_comes_with_unfool_is_propagated_through(photos):
    model = classifiers.load("imagenet", device="cpu")
    assert propagates(model)
    result = relevance(photos, model, start="class-free")
    assert result.isfinite().all()
    assert (result.amax((1, 2, 3)) > 0).all()
