"""JPEG against Pillow's, levels against their definition."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.data import chelsea

from ops.coding import eight_bit, fewer_levels, from_bytes, jpeg, to_bytes


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_jpeg_is_pillows(quality):
    pictures = [chelsea()[:64, :80], chelsea()[100:164, 200:280]]
    x = torch.tensor(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    for picture, read in zip(pictures, jpeg(x, quality), strict=True):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file)) / 255
        np.testing.assert_allclose(read.permute(1, 2, 0), expected, atol=1e-6)


def test_worse_quality_is_further_away():
    x = torch.tensor(chelsea()[:64, :80]).permute(2, 0, 1)[None] / 255
    far = [(jpeg(x, quality) - x).abs().mean().item() for quality in (5, 50, 95)]
    assert far == sorted(far, reverse=True)


@pytest.mark.parametrize("bits", range(1, 9))
def test_levels(bits):
    x = torch.linspace(0, 1, 1001).view(1, 1, 7, 143)
    rounded = fewer_levels(x, bits)
    assert len(rounded.unique()) == 2**bits
    assert (rounded - x).abs().max() <= 0.5 / (2**bits - 1) + 1e-6


@pytest.mark.parametrize("function", [lambda x: jpeg(x, 50), lambda x: fewer_levels(x, 2)])
def test_straight_through(function):
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    assert torch.equal(gradient, torch.ones_like(x))


def test_eight_bit_is_what_a_png_gives_back():
    x = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 100.3 / 255, 1.0])
    through_bytes = (x * 255).round().to(torch.uint8).float() / 255
    assert torch.equal(eight_bit(x), through_bytes)
    assert eight_bit(x).mul(255).tolist() == [0, 0, 1, 100, 255]


def test_bytes_are_those_of_a_png_and_come_back():
    x = torch.tensor([[-0.1, 0.0, 0.4 / 255], [0.6 / 255, 1.0, 1.2]])
    assert to_bytes(x).dtype == torch.uint8
    assert to_bytes(x).tolist() == [[0, 0, 0], [1, 255, 255]]
    assert torch.equal(from_bytes(to_bytes(x)), eight_bit(x.clamp(0, 1)))
    assert torch.equal(to_bytes(from_bytes(torch.arange(256).byte())), torch.arange(256).byte())
