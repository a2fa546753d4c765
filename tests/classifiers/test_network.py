import pytest
import torch
from torch import nn

from classifiers.network import ResidualNet, VGGNet, build, merge_norms

SMALL = {"widths": (4, 6, 8), "depths": (1, 2, 1)}


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (31, 40)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden": 0, "slid": 0, "pooling": "average"},
        {"grid": 2, "hidden": 0, "slid": 0},
        {"grid": 3, "slid": 1},
        {"slid": 2},
        {"norm": False},
    ],
)
def test_vgg_takes_every_size(size, options):
    torch.manual_seed(0)
    network = VGGNet(5, **SMALL, **options).eval()
    assert network(torch.rand(2, 3, *size)).shape == (2, 5)
    assert network.smallest_size == 4
    assert network.features(torch.rand(1, 3, *size)).shape[-2:] == (size[0] // 4, size[1] // 4)


def test_a_place_sees_126_px_by_default():
    network = VGGNet(5).eval()
    x = torch.rand(1, 3, 160, 160, requires_grad=True)
    place = network.features(x)[..., 5, 5].sum()
    seen = torch.autograd.grad(place, x)[0].abs().sum((0, 1))
    rows, columns = seen.sum(1).nonzero().flatten(), seen.sum(0).nonzero().flatten()
    # Maxima may leave out the outermost pixels.
    assert 116 <= rows[-1] - rows[0] + 1 <= 126
    assert 116 <= columns[-1] - columns[0] + 1 <= 126


def test_only_a_global_average_and_one_layer_make_a_linear_head():
    average = VGGNet(5, **SMALL, grid=1, hidden=0, slid=0, pooling="average").eval()
    x = torch.rand(2, 3, 32, 32)
    means = average.features(x).mean((2, 3))
    assert torch.allclose(average.linear_head(means), average(x), atol=1e-6)
    for options in (
        {"grid": 1, "hidden": 0, "slid": 0, "pooling": "max"},
        {"grid": 2, "hidden": 0, "slid": 0, "pooling": "average"},
        {"grid": 1, "hidden": 3, "slid": 0, "pooling": "average"},
        {"grid": 1, "hidden": 3, "slid": 1, "pooling": "average"},
        {"grid": 1, "hidden": 0, "slid": 1, "pooling": "average"},
    ):
        assert VGGNet(5, **SMALL, **options).linear_head is None


def test_each_place_of_the_grid_has_weights_of_its_own():
    torch.manual_seed(0)
    flat = VGGNet(5, **SMALL, grid=4, hidden=0, slid=0).eval()
    pooled = VGGNet(5, **SMALL, grid=1, hidden=0, slid=0).eval()
    # No padding's trace: a map that is the same everywhere but for one place.
    maps = torch.zeros(2, 8, 8, 8)
    maps[0, :, 1, 1] = maps[1, :, 6, 6] = 1
    for network, same in ((flat, False), (pooled, True)):
        one, other = network.head(network.pool(maps))
        assert torch.equal(one, other) == same


def by_hand(network, features, slid):
    """Both fully connected layers, one place at a time where slid, with a maximum over all places."""
    first, last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)]
    places = [features[..., row, column] for row in range(6) for column in range(8)]
    match slid:
        case 0:
            return last(first(torch.stack(places).amax(0)).relu())
        case 1:
            return last(torch.stack([first(place).relu() for place in places]).amax(0))
    return torch.stack([last(first(place).relu()) for place in places]).amax(0)


@pytest.mark.parametrize("slid", [0, 1, 2])
def test_what_is_slid_looks_at_each_place_by_itself(slid):
    torch.manual_seed(0)
    network = VGGNet(5, **SMALL, hidden=7, slid=slid).eval()
    x = torch.rand(2, 3, 24, 32)
    assert torch.allclose(network(x), by_hand(network, network.features(x), slid), atol=1e-6)


@pytest.mark.parametrize("slid", [0, 1, 2])
def test_a_hidden_layer_is_dropped_out_in_training_alone(slid):
    torch.manual_seed(0)
    network = VGGNet(5, **SMALL, hidden=64, slid=slid, norm=False)
    x = torch.rand(1, 3, 24, 32)
    assert not torch.equal(network.train()(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


def test_options_that_do_not_go_together():
    with pytest.raises(ValueError, match="average or max, not 'median'"):
        VGGNet(5, pooling="median")
    with pytest.raises(ValueError, match="of 2 fully connected layers 3 cannot be slid"):
        VGGNet(5, slid=3)
    with pytest.raises(ValueError, match="of 1 fully connected layers 2 cannot be slid"):
        VGGNet(5, hidden=0, slid=2)
    with pytest.raises(ValueError, match="grid is 1, not 5"):
        VGGNet(5, grid=5, slid=2)


def test_without_norm_there_is_none():
    for norm in (True, False):
        network = VGGNet(5, **SMALL, norm=norm)
        assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == norm


def test_build():
    assert isinstance(build("residual", 5, (4, 6), (1, 1), {}), ResidualNet)
    options = {"grid": 2, "hidden": 3, "slid": 0, "pooling": "max", "norm": False}
    network = build("vgg", 5, (4, 6), (1, 1), options)
    assert network.head[1].in_features == 24
    with pytest.raises(ValueError, match="residual, vgg or efficientnet-lite, not 'unet'"):
        build("unet", 5, (4, 6), (1, 1), {})
    with pytest.raises(TypeError):
        build("residual", 5, (4, 6), (1, 1), {"grid": 2})


@pytest.mark.parametrize("architecture", ["residual", "vgg"])
def test_norms_merged_into_their_convolutions_change_nothing(architecture):
    torch.manual_seed(0)
    network = build(architecture, 5, (4, 6, 8), (1, 2, 1), {}).double()
    for _ in range(3):  # statistics that are not those of the beginning
        network(3 * torch.rand(8, 3, 32, 32, dtype=torch.float64) - 1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 2)
            nn.init.uniform_(part.bias, -1, 1)
    network.eval()
    x = torch.rand(2, 3, 33, 40, dtype=torch.float64, requires_grad=True)

    def answers() -> tuple[torch.Tensor, torch.Tensor]:
        logits = network(x)
        return logits.detach(), torch.autograd.grad(logits[:, 1].sum(), x)[0]

    before = answers()
    assert any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    merge_norms(network)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    for was, is_now in zip(before, answers(), strict=True):
        assert torch.allclose(was, is_now, rtol=1e-9, atol=1e-12)


def test_a_norm_that_follows_no_convolution_stays():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)).eval()
    merge_norms(network)
    assert [type(part) for part in network] == [nn.BatchNorm2d, nn.Conv2d, nn.ReLU, nn.BatchNorm2d]
