"""The metrics equal scikit-image's, on photos of any size."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.metrics import ndcg_score

from evaluation.measures.metrics import iou, ndcg, psnr, psnr_each, ssim, ssim_each


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 24, 31, generator=generator)
    return x, (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def test_ssim_is_scikit_images(pair):
    x, other = pair
    expected = structural_similarity(x[0].numpy(), other[0].numpy(), channel_axis=0, data_range=1)
    assert ssim(x, other) == pytest.approx(float(expected), abs=1e-6)
    assert ssim(x[0], other[0]) == ssim(x, other)


def test_psnr_is_scikit_images(pair):
    x, other = pair
    expected = peak_signal_noise_ratio(x.numpy(), other.numpy(), data_range=1)
    assert psnr(x, other) == pytest.approx(float(expected), abs=1e-4)


def test_psnr_by_hand():
    assert psnr(torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.1)) == pytest.approx(20, abs=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (2, 2), (3, 9), (6, 6), (7, 7), (40, 8)])
def test_any_size(size):
    generator = torch.Generator().manual_seed(0)
    x, other = torch.rand(2, 3, *size, generator=generator)
    assert ssim(x, x) == pytest.approx(1)
    assert psnr(x, x) == math.inf
    assert -1 <= ssim(x, other) < 1
    assert math.isfinite(psnr(x, other))


@pytest.mark.parametrize("metric", [ssim, psnr])
def test_photos_of_different_size_are_refused(metric):
    with pytest.raises(ValueError, match="one shape"):
        metric(torch.zeros(3, 8, 8), torch.zeros(3, 8, 1))


def probabilities(rows, labels, seed):
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(rows, labels, generator=generator, dtype=torch.float64)).softmax(1)


CLEAN = torch.tensor([[0.6, 0.35, 0.05, 0.0]], dtype=torch.float64)
FIRST, SECOND = 2**0.6 - 1, 2**0.35 - 1
BEST = FIRST + SECOND / math.log2(3)


@pytest.mark.parametrize(
    ("other", "gained"),
    [
        ([0.4, 0.3, 0.2, 0.1], BEST),
        ([0.3, 0.4, 0.2, 0.1], SECOND + FIRST / math.log2(3)),
        ([0.1, 0.2, 0.3, 0.4], SECOND / math.log2(4) + FIRST / math.log2(5)),
        ([0.4, 0.1, 0.2, 0.3], FIRST + SECOND / math.log2(5)),
    ],
)
def test_ndcg_by_hand(other, gained):
    """The first two labels hold 0.95 of the probability; the third counts 0."""
    found = ndcg(CLEAN, torch.tensor([other], dtype=torch.float64))
    assert found.shape == (1,)
    assert found.item() == pytest.approx(gained / BEST, abs=1e-12)


@pytest.mark.parametrize(("threshold", "counted"), [(0.5, 1), (0.6, 1), (0.61, 2), (0.95, 2), (0.96, 3)])
def test_labels_count_until_the_threshold_is_reached(threshold, counted):
    clean = torch.tensor([[0.6, 0.35, 0.05]])
    other = torch.tensor([[0.2, 0.3, 0.5]])
    gains = [2**p - 1 for p in clean[0].tolist()][:counted] + [0.0] * (3 - counted)
    best = sum(gain / math.log2(place) for place, gain in enumerate(gains, 2))
    found = sum(gain / math.log2(place) for place, gain in enumerate(reversed(gains), 2))
    assert ndcg(clean, other, threshold).item() == pytest.approx(found / best, abs=1e-6)


@pytest.mark.parametrize("threshold", [0.5, 0.9, 1.0])
def test_ndcg_is_scikit_learns_on_the_same_gains(threshold):
    """Its gains are linear, so it gets ours as they are."""
    clean, other = probabilities(20, 12, 0), probabilities(20, 12, 1)
    found = ndcg(clean, other, threshold)
    for row in range(20):
        p = clean[row].tolist()
        gains, total = [0.0] * 12, 0.0
        for label in sorted(range(12), key=lambda number: -p[number]):
            if total < threshold:
                gains[label] = 2 ** p[label] - 1
            total += p[label]
        expected = ndcg_score([gains], other[row : row + 1].numpy())
        assert found[row].item() == pytest.approx(expected, abs=1e-9)


def test_the_same_ranking_is_1_and_none_is_beyond():
    clean, other = probabilities(50, 112, 2), probabilities(50, 112, 3)
    assert torch.equal(ndcg(clean, clean.square()), torch.ones(50, dtype=torch.float64))
    found = ndcg(clean, other)
    assert ((found > 0) & (found < 1)).all()
    assert torch.equal(ndcg(clean[:1], other), ndcg(clean[:1].expand(50, -1), other))


def test_what_cannot_be_compared_is_refused():
    for clean, other in [((2, 3), (3, 3)), ((1, 3), (1, 4)), ((3,), (3,))]:
        with pytest.raises(ValueError, match="rankings are compared"):
            ndcg(torch.ones(clean), torch.ones(other))
    for threshold in (0, 1.1):
        with pytest.raises(ValueError, match="threshold must be over 0 and at most 1"):
            ndcg(CLEAN, CLEAN, threshold)


@pytest.mark.parametrize("shape", [(44, 53), (7, 7), (6, 40), (2, 9), (1, 30)])
def test_each_of_a_batch_is_as_alone(shape):
    generator = torch.Generator().manual_seed(0)
    x, other = torch.rand(2, 3, 3, *shape, generator=generator)
    other[1] = x[1]
    alone = [ssim(*pair) for pair in zip(x, other, strict=True)]
    assert ssim_each(x, other).tolist() == pytest.approx(alone, abs=1e-9)
    assert psnr_each(x, other).tolist() == pytest.approx([psnr(*pair) for pair in zip(x, other, strict=True)])
    assert psnr_each(x, other)[1] == float("inf")
    with pytest.raises(ValueError, match="one shape"):
        ssim_each(x, other[:2])


def test_intersection_over_union():
    mask = torch.zeros(4, 1, 6, 6)
    mask[:3, :, :2, :2] = 1
    found = torch.zeros(4, 1, 6, 6)
    found[0, :, :2, :4] = 0.3
    found[1, :, :2, :2] = 0.1
    assert iou(found, mask).tolist() == [0.5, 1, 0, 0]
