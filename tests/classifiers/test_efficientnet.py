"""The ImageNet classifier is Google's network: compared with another implementation, layer sizes by hand."""

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torchvision.models import ResNet18_Weights

import classifiers
from classifiers.builtin import PACKAGED
from classifiers.efficientnet import EfficientNetLite, SameConv2d
from classifiers.network import merge_norms
from photos import gallery_photo, packaged


@pytest.fixture(scope="module")
def imagenet():
    return classifiers.load("imagenet", device="cpu")


def as_google_wants(x):
    """Photos in [0, 1] -> what the package's network was trained on."""
    return (255 * x - 127) / 128


def package_network(**options):
    """The package's own network with its own weights."""
    network = EfficientNet.from_name("efficientnet-lite0", **options)
    network.load_state_dict(torch.load(PACKAGED["imagenet"].path, weights_only=True))
    return network.eval()


@torch.no_grad()
def test_the_logits_are_those_of_the_packages_own_network(imagenet):
    x = torch.cat([gallery_photo(entry.name).working(224) for entry in packaged()[:10]])
    assert len(x) == 10
    expected = package_network()(as_google_wants(x))
    assert expected.std() > 0.5
    assert torch.allclose(imagenet(x), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(97, 130), (64, 161)])
@torch.no_grad()
def test_so_they_are_at_other_sizes(imagenet, size):
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = package_network(image_size=list(size))(as_google_wants(x))
    assert torch.allclose(imagenet(x), expected, rtol=0, atol=1e-4)


def test_the_card_is_that_of_imagenets_1000_labels(imagenet):
    card = classifiers.read_card("imagenet")
    assert imagenet.labels == tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
    assert imagenet.identity == f"imagenet:{card['sha256']}"
    assert card["sha256"].startswith(PACKAGED["imagenet"].file.rsplit("-", 1)[1].removesuffix(".pth"))
    assert (card["licence"], imagenet.saliency, imagenet.working_size) == ("Apache-2.0", "cam", 224)
    assert imagenet.crop_share == 224 / 256
    assert classifiers.default_name() == "imagenet"


@torch.no_grad()
def test_cam_is_exact(imagenet):
    logits, features = imagenet.with_features(torch.rand(2, 3, 224, 224))
    assert features.shape == (2, 1280, 7, 7)
    maps = torch.einsum("kc,bchw->bkhw", imagenet.head.weight, features)
    assert torch.allclose(maps.mean((2, 3)) + imagenet.head.bias, logits, atol=1e-4)


@pytest.mark.parametrize("side", [1, 2, 7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 3)])
def test_padding_is_tensorflows(side, kernel, stride):
    """One channel by a literal loop: the outputs are ceil(side / stride), the odd pad goes to the end."""
    convolution = SameConv2d(1, 1, kernel, stride, bias=False)
    x = torch.rand(1, 1, side, side + 1)
    outputs = [-(-length // stride) for length in x.shape[2:]]
    pads = [
        max(0, (count - 1) * stride + kernel - length)
        for count, length in zip(outputs, x.shape[2:], strict=True)
    ]
    expected = torch.zeros(1, 1, *outputs)
    for row in range(outputs[0]):
        for column in range(outputs[1]):
            for down in range(kernel):
                for across in range(kernel):
                    y, z = row * stride + down - pads[0] // 2, column * stride + across - pads[1] // 2
                    if 0 <= y < side and 0 <= z < side + 1:
                        expected[0, 0, row, column] += convolution.weight[0, 0, down, across] * x[0, 0, y, z]
    assert torch.allclose(convolution(x), expected, atol=1e-6)


@torch.no_grad()
def test_merged_norms_change_nothing():
    torch.manual_seed(0)
    network = EfficientNetLite(5, (4, 6, 6, 8, 8, 8, 9), (1, 2, 1, 1, 1, 1, 1))
    for value in network.buffers():
        if value.is_floating_point():
            value.uniform_(0.5, 2)
    network = network.double().eval()
    x = torch.rand(2, 3, 33, 40, dtype=torch.double)
    expected = network(x)
    merge_norms(network)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules())
    assert torch.allclose(network(x), expected)
