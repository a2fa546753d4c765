import numpy as np
import pytest
import torch
from skimage.filters import sobel_h, sobel_v

from defenses import LGS
from story import by_name
from tests.formulas import changes, formulas


def plain_lgs(photo, lam, threshold, block, overlap, operator="forward"):
    """LGS in NumPy on one photo, (H, W) or (H, W, 3), one pixel and one window after the other."""
    luma = photo if photo.ndim == 2 else photo @ np.array([0.299, 0.587, 0.114])
    height, width = luma.shape
    g = np.zeros((height, width))
    if operator == "sobel":
        g = np.hypot(sobel_h(luma), sobel_v(luma))
    else:
        for a in range(height):
            for b in range(width):
                right = luma[a, b + 1] if b + 1 < width else luma[a, b]
                below = luma[a + 1, b] if a + 1 < height else luma[a, b]
                g[a, b] = np.sqrt((right - luma[a, b]) ** 2 + (below - luma[a, b]) ** 2)
    g = (g - g.min()) / np.ptp(g) if np.ptp(g) else np.zeros_like(g)
    kept = np.zeros_like(g)
    for top in {*range(0, max(height - block, 0), block - overlap), max(height - block, 0)}:
        for left in {*range(0, max(width - block, 0), block - overlap), max(width - block, 0)}:
            window = np.s_[top : top + block, left : left + block]
            if g[window].mean() > threshold:
                kept[window] = g[window]
    weight = kept if photo.ndim == 2 else kept[..., None]
    return g, kept, photo * np.clip(1 - lam * weight, 0, 1)


@pytest.mark.parametrize("operator", ["forward", "sobel"])
@pytest.mark.parametrize(
    ("lam", "threshold", "block", "overlap"),
    [(2.3, 0.2, 15, 5), (3.5, 0.1, 15, 5), (0.7, 0.15, 7, 0), (5.0, 0.05, 63, 40), (1.5, 0.3, 3, 2)],
)
def test_equals_a_plain_loop(photos, tiny_classifier, lam, threshold, block, overlap, operator):
    x = photos.double()
    defense = LGS(lam=lam, threshold=threshold, block=block, overlap=overlap, operator=operator)
    steps = defense.steps(x, tiny_classifier)
    for number, photo in enumerate(x.permute(0, 2, 3, 1).numpy()):
        g, kept, result = plain_lgs(photo, lam, threshold, block, overlap, operator)
        np.testing.assert_allclose(by_name(steps, "local gradient").map[number, 0], g, atol=1e-12)
        np.testing.assert_allclose(by_name(steps, "kept windows").map[number, 0], kept, atol=1e-12)
        np.testing.assert_allclose(by_name(steps, "result").map[number].permute(1, 2, 0), result, atol=1e-12)


def test_each_channel_goes_all_the_way_by_itself(photos, tiny_classifier):
    x = photos.double()
    steps = LGS(channels="each").steps(x, tiny_classifier)
    for number, photo in enumerate(x.numpy()):
        by_channel = [plain_lgs(channel, 2.3, 0.2, 15, 5) for channel in photo]
        for name, part in [("local gradient", 0), ("kept windows", 1)]:
            largest = np.max([channel[part] for channel in by_channel], axis=0)
            np.testing.assert_allclose(by_name(steps, name).map[number, 0], largest, atol=1e-12)
        result = np.stack([channel[2] for channel in by_channel])
        np.testing.assert_allclose(by_name(steps, "result").map[number], result, atol=1e-12)


def test_each_channel_of_a_grey_photo_is_its_luma(photos, tiny_classifier):
    grey = photos[:, :1].double().expand(-1, 3, -1, -1)
    each, luma = (LGS(channels=channels)(grey, tiny_classifier) for channels in ("each", "luma"))
    torch.testing.assert_close(each, luma)


def test_finds_the_patch_wherever_it_is(photos, tiny_classifier):
    kept = LGS(threshold=0.1).region(photos, tiny_classifier) > 0
    for photo, (top, left) in zip(kept[:, 0], [(4, 30), (20, 8), (30, 39)], strict=True):
        patch = photo[top : top + 13, left : left + 13]  # inside, where every difference is the noise's
        assert patch.float().mean() > 0.95
        assert photo.float().mean() < 0.5


@pytest.mark.parametrize("threshold", [0.1, 0.2])
def test_never_asks_the_classifier(photos, threshold):
    LGS(threshold=threshold)(photos, None)


def test_a_ribbon_of_lambdas_is_one_batch(photos, tiny_classifier):
    x = photos[:1]
    region = LGS().region(x, tiny_classifier)
    lams = torch.linspace(0, 5, 11)
    ribbon = LGS().smooth(x, region, lams.view(-1, 1, 1, 1))
    assert ribbon.shape == (11, *x.shape[1:])
    for lam, photo in zip(lams.tolist(), ribbon, strict=True):
        torch.testing.assert_close(photo, LGS(lam=lam)(x, tiny_classifier)[0])
    assert torch.equal(ribbon[:1], x)


def test_smoothing_weight_is_the_share_taken_away(photos, tiny_classifier):
    steps = LGS(lam=5).steps(photos, tiny_classifier)
    weight, result = by_name(steps, "smoothing weight").map, by_name(steps, "result").map
    assert weight.max() == 1
    assert torch.equal(result, photos * (1 - weight))
    assert torch.equal(weight, (5 * by_name(steps, "kept windows").map).clamp(0, 1))


def test_gradient_is_exact(tiny_classifier):
    """Against differences, on a photo without flat spots; a threshold that no window is near."""
    x = torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for options in [{}, {"operator": "sobel"}, {"channels": "each"}]:
        defense = LGS(lam=0.6, threshold=0.05, block=3, overlap=1, **options)
        assert (defense.region(x, tiny_classifier) > 0).any()
        assert torch.autograd.gradcheck(
            lambda photo, defense=defense: defense(photo, tiny_classifier), x.requires_grad_()
        )


def test_overlap_is_less_than_block():
    LGS(block=15, overlap=14)
    with pytest.raises(ValueError, match=r"overlap must be less than block, 0 to 14 px .*; 15 is not"):
        LGS(block=15, overlap=15)


STEPS = {
    "photo": "x",
    "local gradient": r"g = \mathrm{minmax} \sqrt{(\partial x / \partial a)^2 + (\partial x / \partial b)^2}",
    "kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 0.2 \,]",
    "smoothing weight": r"\mathrm{clip}(\lambda \, \hat{g},\, 0,\, 1)",
    "result": r"T(x) = x \odot \mathrm{clip}(1 - \lambda \, \hat{g},\, 0,\, 1)",
    "difference": r"\max_c \left| T(x) - x \right|",
}
"""Naseer et al. 2019, as You-Wei and Sheng-De 2022 write them, eq. 4-5."""


def test_steps_and_their_formulas(photos, tiny_classifier):
    assert formulas(LGS(), photos, tiny_classifier) == STEPS
    x = photos[:1]
    assert changes(LGS, x, tiny_classifier) == {
        ("lam", "auto"): {
            "smoothing weight": STEPS["smoothing weight"]
            + rf", \quad \lambda = {LGS(lam='auto').lam_of(x, tiny_classifier):g}"
        },
        ("threshold", 0): {"kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 0 \,]"},
        ("threshold", 1): {"kept windows": r"\hat{g} = g \odot [\, \bar{g}_{\mathrm{window}} > 1 \,]"},
    }
