import numpy as np
import pytest
import torch
from PIL import Image

from photos import Photo, PhotoError
from photos.crop import centre_square, resized_square


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def resize_then_crop(pixels, size, short_side):
    """What trainings and measurements do: the whole photo resized, then the middle of it."""
    picture = Image.fromarray(pixels)
    ratio = short_side / min(picture.size)
    picture = picture.resize(
        (round(picture.width * ratio), round(picture.height * ratio)), Image.Resampling.BILINEAR
    )
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return np.array(picture)[top : top + size, left : left + size]


@pytest.mark.parametrize(
    "shape", [(300, 451), (451, 300), (500, 741), (64, 64), (31, 67), (1411, 200), (97, 96), (12, 300)]
)
@pytest.mark.parametrize("size", [64, 65, 192, 512])
def test_equals_resizing_the_whole_photo_and_cropping(shape, size):
    pixels = noise(*shape)
    difference = resized_square(pixels, size).astype(int) - resize_then_crop(pixels, size, size)
    # Pillow rounds to 8 bits between its two passes, and picks their order by the picture's size.
    assert abs(difference).max() <= 1
    assert abs(difference.mean()) < 0.01


@pytest.mark.parametrize(("size", "short_side"), [(224, 256), (64, 73), (65, 74), (299, 342), (224, 232)])
@pytest.mark.parametrize("shape", [(300, 451), (256, 256), (31, 67), (640, 427)])
def test_a_share_of_the_short_side_is_the_middle_of_a_larger_photo(shape, size, short_side):
    pixels = noise(*shape)
    share = {224: 224 / short_side, 299: 299 / 342}.get(size, 0.875)
    difference = resized_square(pixels, size, share).astype(int)
    difference -= resize_then_crop(pixels, size, short_side)
    # As above, and on noise a crop that lay a pixel off would differ by tens of levels.
    assert abs(difference).max() <= 2
    assert abs(difference.mean()) < 0.05


def test_resize_256_crop_224_worked_out_by_hand():
    # 512 x 768 -> 256 x 384, of which 224 x 224 stay: 16 px off above and below, 80 left and right, doubled.
    photo = Photo("wide", "0" * 64, noise(512, 768))
    assert photo.crop_box(224, 224 / 256) == (160, 32, 608, 480)


def test_a_photo_of_the_working_size_stays_whole():
    pixels = noise(224, 224)
    photo = Photo("saved", "0" * 64, pixels)
    whole = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    assert torch.equal(photo.working(224, 0.875), whole)
    assert photo.crop_box(224, 0.875) == (0, 0, 224, 224)
    assert photo.crop_box(192, 0.75) == (28, 28, 196, 196)


@pytest.mark.parametrize("shape", [(1, 1), (1, 65_535), (65_535, 1), (2, 40_001), (3000, 2000), (3, 1)])
def test_no_shape_is_too_extreme(shape):
    photo = Photo("strip", "0" * 64, np.full((*shape, 3), 200, np.uint8))
    x = photo.working(512)
    assert x.shape == (1, 3, 512, 512)
    assert torch.allclose(x, torch.tensor(200 / 255))
    left, top, right, bottom = photo.crop_box()
    assert 0 <= left < right <= shape[1]
    assert 0 <= top < bottom <= shape[0]


def test_working_photo_is_float_in_0_1_and_independent_of_the_pixels():
    photo = Photo("noise", "0" * 64, noise(80, 120))
    x = photo.working(64)
    assert x.dtype == torch.float32
    assert x.min() >= 0
    assert x.max() <= 1
    x.zero_()
    assert photo.working(64).max() > 0


def test_at_its_own_side_the_crop_is_the_middle_of_the_pixels():
    pixels = noise(100, 161)
    expected = torch.from_numpy(pixels[:, 30:130]).permute(2, 0, 1)[None].float() / 255
    photo = Photo("noise", "0" * 64, pixels)
    assert torch.equal(photo.working(100), expected)
    assert photo.crop_box() == photo.crop_box(100) == (30, 0, 130, 100)


def test_crop_box_encloses_the_centre():
    photo = Photo("wide", "0" * 64, noise(300, 451))
    assert photo.crop_box() == (75, 0, 375, 300)
    assert photo.crop_box(192) == tuple(round(edge) for edge in centre_square(451, 300, 192))


@pytest.mark.parametrize("size", [63, 513, 0, -1, 100.5, "192", None])
def test_sizes_out_of_range_are_refused_with_the_range(size):
    photo = Photo("noise", "0" * 64, noise(8, 8))
    with pytest.raises(PhotoError, match="from 64 to 512 px"):
        photo.working(size)
