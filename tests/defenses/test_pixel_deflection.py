"""Pixel Deflection against scikit-image and a plain loop, put together as the post does."""

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_wavelet

from defenses import PixelDeflection
from explain import robust_cam
from story import by_name


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
        torch.testing.assert_close(spared, robust_cam(x, model, top_k=5, combination="geometric-mean"))


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
