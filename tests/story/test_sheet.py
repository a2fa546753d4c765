"""Paper: the sizes are read back out of the files by others."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from story.sheet import LARGEST, SMALLEST, print_pdf, print_png

CM = 2.54


@pytest.fixture
def picture():
    # Darker than paper, so that its edge is seen.
    return np.random.default_rng(0).integers(0, 200, (7, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("centimetres", [SMALLEST, 5.08, 10.0, LARGEST])
def test_a_png_has_its_size(picture, centimetres):
    found = Image.open(io.BytesIO(print_png(picture, centimetres)))
    assert found.size[0] == found.size[1]
    assert found.info["dpi"] == pytest.approx((300, 300), rel=1e-4)
    assert found.size[0] / found.info["dpi"][0] * CM == pytest.approx(centimetres, abs=0.005)


def test_its_pixels_stay_squares(picture):
    found = np.asarray(Image.open(io.BytesIO(print_png(picture, 10))))
    assert {tuple(colour) for colour in found.reshape(-1, 3)} == {
        tuple(colour) for colour in picture.reshape(-1, 3)
    }
    np.testing.assert_array_equal(found[:: len(found) // 6][:7, -1], picture[:, -1])


@pytest.mark.parametrize("centimetres", [2.0, LARGEST])
def test_a_pdf_is_an_a4_page_with_the_patch_in_its_middle(picture, centimetres):
    data = print_pdf(picture, centimetres)
    assert data.startswith(b"%PDF")
    box = [float(number) for number in re.search(rb"/MediaBox \[([^\]]*)\]", data).group(1).split()]
    # 72 points in an inch.
    assert np.array(box[2:]) / 72 * CM == pytest.approx([21.0, 29.7], abs=0.01)
    begin = data.index(b"\xff\xd8\xff")
    page = np.asarray(Image.open(io.BytesIO(data[begin:])).convert("RGB")).astype(int)
    rows, columns = np.nonzero((page < 230).any(2))
    assert np.ptp(rows) + 1 == pytest.approx(centimetres / CM * 300, abs=2)
    assert np.ptp(columns) == np.ptp(rows)
    middle = np.array([rows.min() + rows.max(), columns.min() + columns.max()]) / 2
    assert middle == pytest.approx(np.array(page.shape[:2]) / 2, abs=1)
    patch = page[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    centres = ((np.arange(7) + 0.5) * len(patch) / 7).astype(int)
    assert np.abs(patch[np.ix_(centres, centres)] - picture).max() <= 4


@pytest.mark.parametrize("centimetres", [0.0, 19.5, float("nan")])
def test_what_does_not_fit_is_a_sentence(picture, centimetres):
    for write in (print_png, print_pdf):
        with pytest.raises(ValueError, match="1 to 19 cm"):
            write(picture, centimetres)
