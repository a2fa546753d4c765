import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import morphology

from ops.morphology import dilate, erode

SQUARE = np.ones((3, 3))


def grey(name):
    """scikit-image's operator with the border rule of its binary one, which later versions no longer have."""
    return lambda mask: getattr(morphology, name)(mask.astype(np.uint8), SQUARE, mode="ignore")


def binary(name):
    def operator(mask):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return getattr(morphology, f"binary_{name}")(mask, SQUARE)

    return operator


REFERENCES = [grey] + ([binary] if hasattr(morphology, "binary_erosion") else [])


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize(("name", "operator"), [("erosion", erode), ("dilation", dilate)])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    share=st.sampled_from([0.05, 0.3, 0.8, 0.97]),
    times=st.integers(0, 4),
    seed=st.integers(0, 1000),
)
def test_equals_scikit_image(reference, name, operator, height, width, share, times, seed):
    masks = np.random.default_rng(seed).random((2, 1, height, width)) < share
    result = operator(torch.from_numpy(masks.astype(np.float32)), times)
    for photo in range(2):
        expected = masks[photo, 0]
        for _ in range(times):
            expected = reference(name)(expected)
        np.testing.assert_array_equal(result[photo, 0].numpy(), expected)


def test_a_full_mask_is_not_eroded_from_the_border():
    assert erode(torch.ones(1, 1, 6, 6), 3).all()
