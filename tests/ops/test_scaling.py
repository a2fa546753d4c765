import numpy as np
import pytest
import torch
from scipy.stats import zscore

from ops.scaling import mean, min_max, z_score


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([1.0, 1e-6, 1e4, 3.0, 7.0, 0.1], dtype=torch.float64).view(2, 3, 1, 1)
    return scale * torch.randn(2, 3, 5, 8, generator=generator, dtype=torch.float64)


def test_mean_of_each_map(maps):
    np.testing.assert_allclose(mean(maps)[..., 0, 0], maps.numpy().mean((-2, -1)), rtol=1e-10)


def test_min_max_stretches_each_map_to_0_and_1(maps):
    for source, result in zip(maps.flatten(0, 1).numpy(), min_max(maps).flatten(0, 1), strict=True):
        np.testing.assert_allclose(result, (source - source.min()) / np.ptp(source), rtol=1e-10)


def test_z_score_equals_scipys(maps):
    np.testing.assert_allclose(z_score(maps), zscore(maps.numpy().reshape(6, -1), axis=1).reshape(maps.shape))


@pytest.mark.parametrize(
    "value", [0.0, 0.1, 1.0, 7 / 401, 14 / 401]
)  # the last: a plain mean rounds below them
@pytest.mark.parametrize("shape", [(1, 1, 224, 224), (2, 3, 1, 1)])
def test_constant_maps(value, shape):
    maps = torch.full(shape, value, requires_grad=True)
    assert not (maps > mean(maps)).any()
    for scaled in (min_max(maps), z_score(maps)):
        assert torch.equal(scaled, torch.zeros(shape))
        assert torch.autograd.grad(scaled.sum(), maps)[0].isfinite().all()


@pytest.mark.parametrize("scale", [min_max, z_score])
def test_gradient_is_exact(scale):
    maps = torch.randn(2, 3, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(scale, maps.requires_grad_())
