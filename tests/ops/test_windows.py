import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.windows import kept_pixels, window_means


def plain_loop(picture: np.ndarray, block: int, overlap: int, threshold: float) -> np.ndarray:
    """The definition, one window after the other."""
    height, width = picture.shape
    kept = np.zeros_like(picture)
    for top in starts(height, block, block - overlap):
        for left in starts(width, block, block - overlap):
            window = np.s_[top : top + block, left : left + block]
            if picture[window].mean() > threshold:
                kept[window] = 1
    return kept


def starts(side: int, block: int, stride: int) -> list[int]:
    if side <= block:
        return [0]
    regular = list(range(0, side - block + 1, stride))
    return regular if regular[-1] == side - block else [*regular, side - block]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    block=st.integers(1, 10).map(lambda half: 2 * half + 1),
    overlap_share=st.floats(0, 1, exclude_max=True),
    threshold=st.floats(0.3, 0.7),
    seed=st.integers(0, 1000),
)
def test_equals_a_plain_loop_over_windows(height, width, block, overlap_share, threshold, seed):
    overlap = int(overlap_share * block)
    pictures = np.random.default_rng(seed).random((2, height, width))
    kept = kept_pixels(torch.from_numpy(pictures)[:, None], block, overlap, threshold)[:, 0].numpy()
    for picture, result in zip(pictures, kept, strict=True):
        np.testing.assert_array_equal(result, plain_loop(picture, block, overlap, threshold))


@pytest.mark.parametrize("corner", [np.s_[..., -9:, -9:], np.s_[..., :9, -9:], np.s_[..., -9:, :9]])
def test_a_patch_in_a_corner_does_not_escape(corner):
    picture = torch.zeros(1, 1, 107, 223)  # no multiple of the stride fits
    picture[corner] = 1
    assert kept_pixels(picture, 15, 5, 0.2)[corner].all()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (67, 101), (1, 50), (50, 1), (9, 9)])
def test_every_pixel_lies_in_a_window(height, width):
    assert kept_pixels(torch.ones(1, 1, height, width), 15, 5, 0.5).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mean_at_the_threshold_is_not_over_it(value):
    picture = torch.full((1, 1, 224, 224), value)
    assert not kept_pixels(picture, 15, 5, value).any()


def test_keeps_the_type_and_carries_no_gradient():
    picture = torch.rand(1, 1, 20, 20, dtype=torch.float64, requires_grad=True)
    kept = kept_pixels(picture, 5, 2, 0.5)
    assert kept.dtype == torch.float64
    assert not kept.requires_grad


def test_a_gradient_after_a_call_without_any():
    x = torch.rand(1, 1, 31, 33, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        window_means(x, 7, 2)
    asked = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(window_means(asked, 7, 2).sum(), asked)
    assert (slope > 0).all()
