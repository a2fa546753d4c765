"""Patches from files: what is saved comes back, and whatever is wrong is one sentence."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from photos import PhotoError, read_patch_file
from photos.patch_file import LARGEST_SIDE
from story.export import patch_npz
from story.render import to_png


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (3, 12, 12), generator=torch.Generator().manual_seed(0)).float() / 255


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    return to_png(np.zeros((height, width, 3), np.uint8))


def test_a_png_comes_back(pixels):
    picture = (pixels * 255).round().byte().permute(1, 2, 0).numpy()
    patch_file = read_patch_file(to_png(picture), "folder/golf ball.png")
    assert patch_file.name == "golf ball"
    assert torch.equal(patch_file.pixels, pixels)
    assert patch_file.share is None
    assert patch_file.target is None


@pytest.mark.parametrize("target", ["golf ball", None])
def test_an_npz_comes_back(pixels, target):
    exact = pixels * 0.9137
    patch_file = read_patch_file(patch_npz(exact, 0.17, target), "mine.npz")
    assert torch.equal(patch_file.pixels, exact)
    assert patch_file.share == pytest.approx(0.17)
    assert (patch_file.name, patch_file.target) == ("mine", target)


def test_channels_may_come_last_and_numbers_be_whole(pixels):
    whole = (pixels * 255).round().byte().numpy()
    assert torch.equal(read_patch_file(npz(patch=whole), "a.npz").pixels, pixels)
    assert torch.equal(read_patch_file(npz(patch=whole.transpose(1, 2, 0)), "a.npz").pixels, pixels)


def test_a_large_picture_is_made_smaller():
    colour = np.full((LARGEST_SIDE + 88, LARGEST_SIDE + 88, 3), (200, 100, 50), np.uint8)
    patch_file = read_patch_file(to_png(colour), "wall.png")
    assert patch_file.pixels.shape == (3, LARGEST_SIDE, LARGEST_SIDE)
    assert torch.equal(patch_file.pixels[:, 0, 0] * 255, torch.tensor([200.0, 100.0, 50.0]))


def objects() -> bytes:
    file = io.BytesIO()
    np.savez(file, patch=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return file.getvalue()


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("patch.npy", bytes(120_000_000))
    return file.getvalue()


def boasting() -> bytes:
    """A header that announces far more numbers than follow."""
    header = io.BytesIO()
    shape = (3, 400_000, 400_000)
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("patch.npy", header.getvalue())
    return file.getvalue()


CASES = {
    "empty": (b"", "is empty"),
    "no picture": (b"this is no picture", "is not a PNG"),
    "no square": (png(30, 20), "30 x 20 pixels; a patch is a square"),
    "no array": (npz(photo=np.zeros((3, 4, 4))), "holds no array called patch"),
    "no square array": (npz(patch=np.zeros((3, 4, 5))), "5 x 4 pixels; a patch is a square"),
    "grey": (npz(patch=np.zeros((4, 4))), "the shape (4, 4), not (3, side, side)"),
    "nothing in it": (npz(patch=np.zeros((3, 0, 0))), "the shape (3, 0, 0)"),
    "too large": (npz(patch=np.zeros((3, 513, 513), np.uint8)), "a side of 513 px; at most 512"),
    "out of range": (npz(patch=np.full((3, 4, 4), 1.5)), "must be from 0 to 1"),
    "negative whole": (npz(patch=np.full((3, 4, 4), -1)), "must be from 0 to 1"),
    "not a number": (npz(patch=np.full((3, 4, 4), np.nan)), "must be from 0 to 1"),
    "words": (npz(patch=np.full((3, 4, 4), "a")), "holds no numbers"),
    "share": (npz(patch=np.zeros((3, 4, 4)), share=np.array(2.0)), "share in it.npz is a number over 0"),
    "objects": (objects(), "no NPZ file of plain numbers"),
    "cut short": (npz(patch=np.zeros((3, 40, 40)))[:90], "no NPZ file of plain numbers"),
    "bomb": (bomb(), "unpacks to more than 100 MB"),
    "boasting": (boasting(), "no NPZ file of plain numbers"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_a_sentence(case):
    data, sentence = CASES[case]
    with pytest.raises(PhotoError, match=r"^(patch in |share in )?it\.npz ") as refused:
        read_patch_file(data, "it.npz")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_transparent_is_laid_over_white():
    picture = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
    file = io.BytesIO()
    picture.save(file, "PNG")
    assert read_patch_file(file.getvalue(), "round.png").pixels.min() == 1
