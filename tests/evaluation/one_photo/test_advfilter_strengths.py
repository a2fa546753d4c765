import pytest
import torch

from denoisers import STRENGTHS
from evaluation.measures.metrics import psnr
from evaluation.one_photo.advfilter import attacked_at_all, denoised_at_all, pixel_kernel
from ops.pixel_filter import pixel_filtered
from tests.denoisers.tiny import shaken, tiny


def test_a_photo_at_every_strength(photos, tiny_classifier):
    x, network = photos[:1], shaken(tiny("pa-filt"))
    y = tiny_classifier(x).argmax(1)
    attacked = list(attacked_at_all(x, y, tiny_classifier, iterations=2))
    found = denoised_at_all(x, attacked, tiny_classifier, network)
    assert [one.eps for one in found] == [0.0, *STRENGTHS]
    assert torch.equal(found[0].photos["attacked"], x)
    assert found[0].psnr["attacked"] == 100
    assert found[0].labels["attacked"] == tiny_classifier.labels[y]
    for one in found:
        assert list(one.photos) == ["attacked", "sl", "m", "result"]
        assert any(one.photos["attacked"] is photo for photo in attacked)
        assert (one.photos["attacked"] - x).abs().max() <= one.eps + 1e-6
        assert one.psnr["result"] == pytest.approx(psnr(x, one.photos["result"]))
        assert one.ssim.keys() == one.labels.keys() == one.photos.keys()
    assert found[-1].psnr["attacked"] < found[3].psnr["attacked"]


@pytest.mark.parametrize(("row", "column"), [(0, 0), (20, 30), (43, 52)])
def test_the_kernel_of_a_pixel(photos, row, column):
    x, network = photos[:1], shaken(tiny("filt-img"))
    kernels = network.outputs(x)[0]
    found = pixel_kernel(x, kernels, row, column)
    assert found.kernel.shape == found.before.shape == found.after.shape == (3, 5, 5)
    assert torch.equal(found.before[:, 2, 2], x[0, :, row, column])
    filtered = pixel_filtered(x, kernels)[0].detach()
    torch.testing.assert_close(found.after[:, 2, 2], filtered[:, row, column])
    torch.testing.assert_close(found.after[:, 2, 2], (found.kernel * found.before).sum((1, 2)))
    above = max(row - 1, 0)
    torch.testing.assert_close(found.after[:, 1, 2], filtered[:, above, column])
    with pytest.raises(ValueError, match="none at row 44"):
        pixel_kernel(x, kernels, 44, 0)
