import pytest
import torch
from torch import nn

from classifiers.network import ResidualNet, VGGNet, build

SMALL = {"widths": (4, 6, 8), "depths": (1, 2, 1)}


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (31, 40)])
@pytest.mark.parametrize(
    "options", [{}, {"grid": 1, "hidden": 0, "pooling": "average"}, {"grid": 2, "hidden": 0}, {"norm": False}]
)
def test_vgg_takes_every_size(size, options):
    torch.manual_seed(0)
    network = VGGNet(5, **SMALL, **options).eval()
    assert network(torch.rand(2, 3, *size)).shape == (2, 5)
    assert network.smallest_size == 4
    assert network.features(torch.rand(1, 3, *size)).shape[-2:] == (size[0] // 4, size[1] // 4)


def test_only_a_global_average_and_one_layer_make_a_linear_head():
    average = VGGNet(5, **SMALL, grid=1, hidden=0, pooling="average").eval()
    x = torch.rand(2, 3, 32, 32)
    means = average.features(x).mean((2, 3))
    assert torch.allclose(average.linear_head(means), average(x), atol=1e-6)
    for options in (
        {"grid": 1, "hidden": 0, "pooling": "max"},
        {"grid": 2, "hidden": 0, "pooling": "average"},
        {"grid": 1, "hidden": 3, "pooling": "average"},
    ):
        assert VGGNet(5, **SMALL, **options).linear_head is None


def test_each_place_of_the_grid_has_weights_of_its_own():
    torch.manual_seed(0)
    flat = VGGNet(5, **SMALL, grid=4, hidden=0).eval()
    pooled = VGGNet(5, **SMALL, grid=1, hidden=0).eval()
    # No padding's trace: a map that is the same everywhere but for one place.
    maps = torch.zeros(2, 8, 8, 8)
    maps[0, :, 1, 1] = maps[1, :, 6, 6] = 1
    for network, same in ((flat, False), (pooled, True)):
        one, other = network.head(network.pool(maps).flatten(1))
        assert torch.equal(one, other) == same


def test_without_norm_there_is_none():
    for norm in (True, False):
        network = VGGNet(5, **SMALL, norm=norm)
        assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == norm


def test_build():
    assert isinstance(build("residual", 5, (4, 6), (1, 1), {}), ResidualNet)
    network = build("vgg", 5, (4, 6), (1, 1), {"grid": 2, "hidden": 3, "pooling": "max", "norm": False})
    assert network.head[0].in_features == 24
    with pytest.raises(ValueError, match="residual or vgg, not 'unet'"):
        build("unet", 5, (4, 6), (1, 1), {})
    with pytest.raises(TypeError):
        build("residual", 5, (4, 6), (1, 1), {"grid": 2})
