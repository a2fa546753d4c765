import numpy as np
import pytest
import torch

from experiments.filter_memory import side_by_side
from ops.pixel_filter import pixel_filtered


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
