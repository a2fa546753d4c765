import numpy as np
import pytest
import torch
import torch.nn.functional as F

from experiments.filter_memory import side_by_side
from ops.pixel_filter import pixel_filtered, stretched_filtered


def drawn(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(x, kernels, side):
    """Photo by photo, channel by channel, pixel by pixel."""
    x, kernels = x.numpy(), kernels.numpy()
    result = np.zeros_like(x)
    height, width = x.shape[2:]
    for photo, channel, row, column in np.ndindex(x.shape):
        for i in range(side):
            for j in range(side):
                below = min(max(row + i - side // 2, 0), height - 1)
                right = min(max(column + j - side // 2, 0), width - 1)
                weight = kernels[photo, (channel * side + i) * side + j, row, column]
                result[photo, channel, row, column] += weight * x[photo, channel, below, right]
    return result


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize(("height", "width"), [(6, 7), (1, 4), (1, 1)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_equals_a_plain_loop(side, height, width, order):
    x, kernels = drawn(2, 3, height, width), drawn(2, 3 * side**2, height, width, seed=1)
    by_kernels = pixel_filtered(x.contiguous(memory_format=order), kernels.contiguous(memory_format=order))
    np.testing.assert_allclose(by_kernels.numpy(), by_hand(x, kernels, side), rtol=1e-13)


def test_a_kernel_that_is_1_in_the_middle_keeps_the_photo():
    x = drawn(1, 3, 5, 6)
    middle = torch.zeros(3, 9).double()
    middle[:, 4] = 1
    assert torch.equal(pixel_filtered(x, middle.view(1, 27, 1, 1).expand(1, 27, 5, 6)), x)


def test_the_gradients_of_photo_and_kernels():
    x, kernels = drawn(2, 2, 4, 3).requires_grad_(), drawn(2, 18, 4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(pixel_filtered, (x, kernels))


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("times", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(4, 5), (1, 3), (1, 1)])
def test_stretched_kernels_equal_a_plain_loop(side, times, height, width):
    """Over kernels that PyTorch has stretched."""
    kernels = drawn(2, 3 * side**2, height, width, seed=1) - 0.5
    x = drawn(2, 3, times * height, times * width)
    stretched = F.interpolate(kernels, scale_factor=times, mode="bilinear", align_corners=False)
    result, largest = stretched_filtered(x, kernels)
    np.testing.assert_allclose(result.numpy(), by_hand(x, stretched, side), atol=1e-14)
    torch.testing.assert_close(largest, stretched.amax(1, keepdim=True), rtol=0, atol=1e-15)


def test_a_stretched_kernel_lies_between_its_neighbours():
    """Of two kernels that multiply by 0 and by 4, each stretched to two pixels: 0, 1, 3, 4."""
    kernels = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    result, largest = stretched_filtered(torch.ones(1, 1, 2, 4), kernels)
    expected = torch.tensor([0.0, 1, 3, 4]).expand(1, 1, 2, 4)
    assert torch.equal(result, expected) and torch.equal(largest, expected)


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (8, 12)])
def test_refuses_kernels_that_do_not_stretch(size):
    with pytest.raises(ValueError, match="do not stretch"):
        stretched_filtered(drawn(1, 3, *size), drawn(1, 27, 4, 4))


@pytest.mark.parametrize("weights", [74, 12, 28])
def test_refuses_what_is_no_kernel(weights):
    with pytest.raises(ValueError, match=f"not {weights} in all"):
        pixel_filtered(drawn(1, 3, 4, 4), drawn(1, weights, 4, 4))


def kept_bytes(function, *tensors):
    """Bytes that autograd keeps beside the storages of ``tensors`` themselves."""
    addresses = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in addresses:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = function(*tensors)
    assert held.requires_grad
    return sum(kept.values())


def test_neighbourhoods_are_never_kept_side_by_side():
    x, kernels = drawn(1, 3, 20, 20), drawn(1, 75, 20, 20, seed=1).requires_grad_()
    torch.testing.assert_close(side_by_side(x, kernels), pixel_filtered(x, kernels))
    assert kept_bytes(side_by_side, x, kernels) >= 25 * x.nbytes
    assert kept_bytes(pixel_filtered, x, kernels) <= 2 * x.nbytes  # the photo with its border
