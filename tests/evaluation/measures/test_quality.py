import pytest
import torch

from evaluation.measures.metrics import psnr, ssim
from evaluation.measures.quality import joined, quality


def test_figures_by_photo(photos, tiny_classifier):
    noisy = (photos + 0.1 * torch.rand(photos.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    noisy[2] = photos[2]
    said = tiny_classifier(noisy).argmax(1)
    labels = torch.stack((said[0], (said[1] + 1) % 5, said[2]))
    found = quality(noisy, photos, labels, tiny_classifier)
    assert found.right.tolist() == [True, False, True]
    for number in (0, 1):
        assert found.psnr[number].item() == pytest.approx(psnr(photos[number], noisy[number]))
        assert found.ssim[number].item() == pytest.approx(ssim(photos[number], noisy[number]), rel=1e-4)
    assert found.psnr[2] == 100  # the same photo
    assert found.means["accuracy"] == 66.7
    assert found.means["psnr"] == pytest.approx(found.psnr.mean().item(), abs=0.01)
    alone = [
        quality(noisy[n : n + 1], photos[n : n + 1], labels[n : n + 1], tiny_classifier) for n in range(3)
    ]
    torch.testing.assert_close(joined(alone).ssim, found.ssim)
    assert torch.equal(joined(alone).right, found.right)
