"""Pixel Deflection against scikit-image and a plain loop, put together as the post does."""

import numpy as np
import pytest
import torch
from skimage import restoration
from skimage.restoration import denoise_wavelet

from defenses import PixelDeflection
from explain import enlarged, robust_cam, top_maps
from story import by_name
from tests.formulas import changes, formulas


def one_by_one(x, copies):
    """The definition: copies in order; (3, H, W)."""
    out = x.numpy().copy()
    width = out.shape[-1]
    for row in range(copies.targets.shape[1]):
        channels = slice(None) if copies.targets.shape[1] == 1 else slice(row, row + 1)
        for to, whence in zip(copies.targets[0, row].tolist(), copies.sources[0, row].tolist(), strict=True):
            out[channels, to // width, to % width] = out[channels, whence // width, whence % width]
    return out


@pytest.mark.parametrize("channels", ["together", "each"])
@pytest.mark.parametrize("map_name", ["robust-cam", "none"])
def test_equal_to_loop_and_scikit_image(photos, tiny_classifier, channels, map_name):
    defense = PixelDeflection(channels=channels, map=map_name, seed=3)
    x = photos[:1].double()
    model = tiny_classifier.double()
    steps = defense.steps(x, model)
    spared = by_name(steps, "robust cam").map
    moved = one_by_one(x[0], defense.draws(spared, [3]))
    np.testing.assert_array_equal(by_name(steps, "deflected").map[0], moved)
    expected = denoise_wavelet(
        moved.transpose(1, 2, 0), sigma=0.04, mode="soft", convert2ycbcr=True, channel_axis=-1
    ).clip(0, 1)
    np.testing.assert_allclose(by_name(steps, "result").map[0].permute(1, 2, 0), expected, atol=1e-8)
    if map_name == "none":
        assert spared.max() == 0
    else:
        torch.testing.assert_close(spared, robust_cam(x, model, top_k=5, combination="halving-weights"))


def test_the_map_spares_the_object(photos, tiny_classifier):
    steps = PixelDeflection(deflections=2000, window=3).steps(photos, tiny_classifier)
    spared, moved = by_name(steps, "robust cam").map, by_name(steps, "moved").map
    for photo in range(3):
        bright, dark = spared[photo] > 0.8, spared[photo] < 0.2
        if bright.any() and dark.any():
            assert moved[photo][bright].mean() < moved[photo][dark].mean()


def test_arrows_lead_from_the_source_of_each_moved_pixel(photos, tiny_classifier):
    for channels in ("together", "each"):
        steps = PixelDeflection(deflections=300, channels=channels).steps(photos, tiny_classifier)
        moved, deflected = by_name(steps, "moved"), by_name(steps, "deflected")
        for photo in range(3):
            lines = moved.arrows[photo]
            lines = lines[lines[:, 0] >= 0]
            away = lines[(lines[:, :2] != lines[:, 2:]).any(1)]
            ends = torch.zeros(44, 53)
            ends[away[:, 2], away[:, 3]] = 1
            assert torch.equal(ends, moved.map[photo, 0])
            if channels == "together":
                assert torch.equal(
                    deflected.map[photo][:, away[:, 2], away[:, 3]], photos[photo][:, away[:, 0], away[:, 1]]
                )


def test_no_deflections_and_no_denoiser_leave_the_photo(photos, tiny_classifier):
    assert torch.equal(PixelDeflection(deflections=0, denoiser="none")(photos, tiny_classifier), photos)


def test_the_seed_draws_other_pixels(photos, tiny_classifier):
    first, second = (
        by_name(PixelDeflection(seed=seed).steps(photos, tiny_classifier), "moved").map for seed in (0, 1)
    )
    assert not torch.equal(first, second)


def test_the_classifier_is_asked_once(photos, tiny_classifier):
    passes = []
    tiny_classifier.network.register_forward_hook(lambda *_: passes.append(1))
    PixelDeflection()(photos, tiny_classifier)
    assert len(passes) == 1
    PixelDeflection(map="none")(photos, tiny_classifier)
    assert len(passes) == 1


SOFT = r"\hat{d} = \mathrm{sign}(d)\, (|d| - t)_+, \quad t = \sigma^2 / \sqrt{\overline{d^2} - \sigma^2}"
HARD = r"\hat{d} = d\, [\, |d| \geq t \,], \quad t = \sigma^2 / \sqrt{\overline{d^2} - \sigma^2}"
STEPS = {
    "photo": "x",
    "robust cam": r"R = \mathrm{minmax} \sum_{k=1}^{K} 2^{-k}\, \mathrm{minmax}\, \mathrm{CAM}_k",
    "deflected": r"x_p \leftarrow x_{p + \delta}, \quad \delta \in [-w, w]^2, \quad P(p) \propto 1 - R_p",
    "moved": "",
    "wavelet bands": SOFT,
    "result": "",
    "difference": r"\max_c \left| T(x) - x \right|",
}
"""Prakash et al. 2018; the post to it, over a floor.

BayesShrink: Chang, Yu and Vetterli 2000, eq. 3 and 9.
"""


def test_steps_and_their_formulas(photos, tiny_classifier):
    assert formulas(PixelDeflection(), photos, tiny_classifier) == STEPS
    others = ("tvm", "bilateral", "non-local-means", "wiener", "none")
    assert changes(PixelDeflection, photos[:1], tiny_classifier) == {
        ("map", "none"): {"robust cam": "R = 0"},
        ("combine", "geometric-mean"): {
            "robust cam": r"R = \mathrm{minmax} \left( "
            r"\prod_{k=1}^{K} (0.1 + 0.9\, \mathrm{minmax}\, \mathrm{CAM}_k) \right)^{1/K}"
        },
        ("shrinkage", "hard"): {"wavelet bands": HARD},
        **{("denoiser", denoiser): {"wavelet bands": r"\hat{d} = d"} for denoiser in others},
    }


@pytest.mark.parametrize("shrinkage", ["soft", "hard"])
def test_the_shrinkage_that_is_shown_is_done(photos, tiny_classifier, shrinkage):
    """What SOFT and HARD say, of each band of each channel by itself."""
    defense = PixelDeflection(shrinkage=shrinkage, ycbcr=False, sigma=0.05, wavelet="db2", levels=2)
    bands = defense.smooth(photos.double())[1]
    for before, after in zip(bands.before, bands.after, strict=True):
        for d, shown in zip(before.flatten(0, 2).numpy(), after.flatten(0, 2).numpy(), strict=True):
            left = (d**2).mean() - 0.05**2
            t = 0.05**2 / np.sqrt(left) if left > 0 else np.inf
            soft, hard = np.sign(d) * np.maximum(np.abs(d) - t, 0), d * (np.abs(d) >= t)
            np.testing.assert_allclose(shown, soft if shrinkage == "soft" else hard, atol=1e-12)


@pytest.mark.parametrize("combine", ["geometric-mean", "halving-weights"])
def test_the_map_that_is_shown_is_made(photos, tiny_classifier, combine):
    """The product of K maps over a floor to the power 1 / K, or the sum with weights 2^-k."""
    x, model = photos.double(), tiny_classifier.double()
    cams = top_maps(x, model, top_k=3).numpy()
    low, high = cams.min((2, 3), keepdims=True), cams.max((2, 3), keepdims=True)
    cams = (cams - low) / (high - low)
    if combine == "geometric-mean":
        over = 0.1 + 0.9 * cams
        one = (over[:, 0] * over[:, 1] * over[:, 2]) ** (1 / 3)
    else:
        one = cams[:, 0] / 2 + cams[:, 1] / 4 + cams[:, 2] / 8
    large = enlarged(torch.from_numpy(one[:, None]), (44, 53)).numpy()
    low, high = large.min((2, 3), keepdims=True), large.max((2, 3), keepdims=True)
    shown = by_name(PixelDeflection(top_k=3, combine=combine).steps(x, model), "robust cam").map
    np.testing.assert_allclose(shown, (large - low) / (high - low), atol=1e-9)


BY_SCIKIT_IMAGE = {
    "tvm": lambda photo: restoration.denoise_tv_chambolle(photo, weight=0.2, channel_axis=-1),
    "bilateral": lambda photo: restoration.denoise_bilateral(
        photo, sigma_color=0.07, sigma_spatial=2, channel_axis=-1
    ),
    "non-local-means": lambda photo: restoration.denoise_nl_means(
        photo, patch_size=5, patch_distance=6, h=0.8 * 0.07, sigma=0.07, fast_mode=True, channel_axis=-1
    ),
    "wiener": lambda photo: np.stack(
        [
            restoration.wiener(channel, np.ones((1, 1)), 0.2, clip=False)
            for channel in np.moveaxis(photo, 2, 0)
        ],
        -1,
    ),
    "none": lambda photo: photo,
}


@pytest.mark.parametrize("denoiser", BY_SCIKIT_IMAGE)
def test_the_other_denoisers_are_scikit_images(photos, tiny_classifier, denoiser):
    defense = PixelDeflection(deflections=0, denoiser=denoiser, sigma=0.07, weight=0.2)
    result = defense(photos.double(), tiny_classifier.double())
    for photo, smoothed in zip(photos.double().permute(0, 2, 3, 1).numpy(), result, strict=True):
        expected = BY_SCIKIT_IMAGE[denoiser](photo).clip(0, 1)
        np.testing.assert_allclose(smoothed.permute(1, 2, 0), expected, atol=1e-9)


def test_without_the_wavelets_no_detail_is_shrunk(photos, tiny_classifier):
    defense = PixelDeflection(denoiser="tvm")
    bands = defense.smooth(photos.double())[1]
    for before, after in zip(bands.before, bands.after, strict=True):
        torch.testing.assert_close(after, before)


@pytest.mark.parametrize("reach", [3.0, 0.8])
def test_the_gradient_is_exact_but_for_the_final_clip(photos, tiny_classifier, monkeypatch, reach):
    """Against difference quotients, for the draws that are made anyway."""
    model, defense = tiny_classifier.double(), PixelDeflection(map="none")
    x = (reach * photos.double() + (1 - reach) / 2).clamp(0, 1)
    generator = torch.Generator().manual_seed(1)
    along, weights = torch.randn(2, *x.shape, generator=generator, dtype=torch.float64)

    def error():
        def result(photos):
            return (by_name(defense.steps(photos, model), "result").map * weights).sum()

        asked = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(result(asked), asked)
        quotient = (result(x + 1e-6 * along) - result(x - 1e-6 * along)) / 2e-6
        return ((slope * along).sum() - quotient).abs() / slope.norm() / along.norm()

    final = by_name(defense.steps(x, model), "result").map
    if reach > 1:
        # Black and white come out clipped, which the gradient passes as if it were not there.
        assert ((final == 0) | (final == 1)).any()
        assert error() > 1e-6
        monkeypatch.setattr("defenses.pixel_deflection.clipped", lambda photos: photos)
    assert error() < 1e-9
