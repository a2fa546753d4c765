import pytest
import torch

from denoisers import VARIANTS
from denoisers.denoise import denoised
from tests.denoisers.tiny import shaken, tiny

NAMES = {
    "multi-head": ["head 1", "head 2", "head 3", "head 4"],
    "pa-filt": ["sl", "m", "result"],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_photo_has_its_name_and_is_a_photo(variant, photos):
    by_name = denoised(shaken(tiny(variant)), photos)
    assert list(by_name) == NAMES.get(variant, ["result"])
    for photo in by_name.values():
        assert photo.shape == photos.shape
        assert ((photo >= 0) & (photo <= 1)).all()


def test_adding_adds_and_is_clipped():
    network = shaken(tiny("add-img"))
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = (x + network.outputs(x)[0]).clamp(0, 1)
    torch.testing.assert_close(denoised(network, x)["result"], expected)
