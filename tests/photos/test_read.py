import hashlib
import io
import struct
import warnings

import numpy as np
import pytest
from picture_files import FORMATS, chunk, gradient, png, saved, tiff
from PIL import Image, ImageOps

from photos import MAX_BYTES, PhotoError, read_photo
from photos.read import read_small

LOSSLESS = ("PNG", "BMP", "TIFF")


def pixels(data, name="photo"):
    return read_photo(data, name).pixels


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_its_pixels(kind):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    data = saved(gradient(), kind, **options)
    photo = read_photo(data, f"folder/photo.{kind.lower()}")
    assert photo.name == f"photo.{kind.lower()}"
    assert photo.digest == hashlib.sha256(data).hexdigest()
    assert (photo.height, photo.width) == (24, 40)
    assert photo.pixels.dtype == np.uint8
    difference = abs(photo.pixels.astype(int) - gradient())
    assert difference.max() <= {"JPEG": 12, "GIF": 40}.get(kind, 0)
    assert difference.mean() < 6


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("side", [1, 5, 30])
def test_a_small_one_has_what_is_asked_for_and_the_same_content(kind, side):
    data = saved(gradient(), kind, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    small = read_small(data, "photo", side)
    height, width = small.shape[:2]
    assert min(height, width) >= min(side, 24)
    if kind != "JPEG":
        assert np.array_equal(small, pixels(data))
    whole = Image.fromarray(pixels(data)).resize((width, height), Image.Resampling.BOX)
    assert abs(small.astype(int) - np.asarray(whole)).mean() < 6


def test_a_small_jpeg_is_decoded_at_a_part_of_its_size():
    data = saved(np.full((400, 800, 3), 90, np.uint8), "JPEG")
    assert read_small(data, "photo", 100).shape == (100, 200, 3)
    assert read_small(data, "photo", 101).shape == (200, 400, 3)
    assert read_small(data, "photo", 401).shape == (400, 800, 3)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff\xd8\xff" + b"0" * 100, b"0" * (MAX_BYTES + 1)])
def test_a_small_one_is_refused_by_the_same_sentence(data):
    with pytest.raises(PhotoError) as refused:
        read_photo(data, "a/photo.jpg")
    with pytest.raises(PhotoError) as small:
        read_small(data, "a/photo.jpg", 96)
    assert str(small.value) == str(refused.value)


def test_pixels_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        pixels(saved(gradient(), "PNG"))[0, 0, 0] = 1


def test_the_content_decides_not_the_name():
    assert np.array_equal(pixels(saved(gradient(), "PNG"), "photo.jpg"), gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_once(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}.get(kind, {})
    expected = Image.fromarray(gradient())
    expected.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(expected)).astype(int)
    decoded = pixels(saved(gradient(), kind, exif=exif, **options))
    assert decoded.shape == expected.shape
    assert abs(decoded - expected).max() <= (12 if kind == "JPEG" else 0)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_costs_only_the_turn():
    data = saved(gradient(), "PNG")
    broken = data[:33] + chunk(b"eXIf", b"II*\0\xff\xff\xff\xff") + data[33:]
    assert np.array_equal(pixels(broken), gradient())


class TestTransparency:
    """Alpha, palette entries and colour keys, laid over white."""

    def over_white(self, colours, alpha):
        share = alpha[..., None] / 255
        return colours * share + 255 * (1 - share)

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
    def test_rgba(self, kind):
        alpha = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))
        data = saved(
            np.dstack([gradient(), alpha]),
            kind,
            **({"lossless": True, "exact": True} if kind == "WEBP" else {}),
        )
        assert abs(pixels(data) - self.over_white(gradient(), alpha)).max() <= 1

    def test_grey_with_alpha(self):
        alpha = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))
        grey = gradient()[..., 1]
        data = saved(Image.fromarray(np.dstack([grey, alpha])), "PNG")
        expected = self.over_white(np.repeat(grey[..., None], 3, 2), alpha)
        assert abs(pixels(data) - expected).max() <= 1

    @pytest.mark.parametrize("kind", ["PNG", "GIF"])
    def test_palette(self, kind):
        picture = Image.new("P", (8, 4), 0)
        picture.putpalette([10, 20, 30, 200, 100, 0])
        picture.paste(1, (4, 0, 8, 4))
        decoded = pixels(saved(picture, kind, transparency=0))
        assert (decoded[:, :4] == 255).all()
        assert (decoded[:, 4:] == (200, 100, 0)).all()

    def test_palette_with_an_alpha_per_entry(self):
        picture = Image.new("P", (2, 1), 0)
        picture.putpalette([0, 0, 0, 200, 100, 0])
        picture.putpixel((1, 0), 1)
        decoded = pixels(saved(picture, "PNG", transparency=bytes([128, 255])))
        assert decoded[0].tolist() == [[127, 127, 127], [200, 100, 0]]

    def test_colour_keys(self):
        rgb = np.zeros((2, 2, 3), np.uint8)
        rgb[0, 0] = 9, 8, 7
        assert pixels(saved(rgb, "PNG", transparency=(9, 8, 7)))[:, :, 0].tolist() == [[255, 0], [0, 0]]
        grey = np.array([[3, 0], [0, 0]], np.uint8)
        assert pixels(saved(grey, "PNG", transparency=3))[:, :, 0].tolist() == [[255, 0], [0, 0]]

    def test_colour_keys_of_16_bits(self):
        key = chunk(b"tRNS", struct.pack(">HHH", 0x1234, 0x5678, 0x9ABC))
        row = struct.pack(">HHHHHH", 0x1234, 0x5678, 0x9ABC, 0x8000, 0, 0)
        assert pixels(png(2, 1, 16, 2, row, key))[0].tolist() == [[255, 255, 255], [128, 0, 0]]
        key = chunk(b"tRNS", struct.pack(">H", 0x1234))
        assert pixels(png(2, 1, 16, 0, struct.pack(">HH", 0x1234, 0x8000), key))[0, :, 0].tolist() == [
            255,
            128,
        ]

    def test_premultiplied_alpha(self):
        tags = {256: (3, [2]), 257: (3, [1]), 258: (3, [8] * 4), 259: (3, [1]), 262: (3, [2]), 273: (4, [8])}
        tags |= {277: (3, [4]), 278: (3, [1]), 279: (4, [8]), 338: (3, [1])}
        decoded = pixels(tiff(tags, bytes([100, 0, 0, 128, 5, 6, 7, 255])))
        assert abs(decoded[0].astype(int) - [[227, 127, 127], [5, 6, 7]]).max() <= 1


class TestColourModes:
    """Everything that is not 8-bit RGB."""

    @pytest.mark.parametrize("kind", LOSSLESS)
    def test_grey(self, kind):

        grey = gradient()[..., 0]
        assert np.array_equal(pixels(saved(grey, kind)), np.repeat(grey[..., None], 3, 2))

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
    def test_black_and_white(self, kind):
        bits = np.eye(8, dtype=bool)
        decoded = pixels(saved(Image.fromarray(bits), kind))
        assert np.array_equal(decoded, np.repeat(bits[..., None] * np.uint8(255), 3, 2))

    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF"])
    def test_palette(self, kind):
        picture = Image.new("P", (3, 3), 1)
        picture.putpalette([0, 0, 0, 12, 34, 56])
        assert (pixels(saved(picture, kind)) == (12, 34, 56)).all()

    def test_grey_of_16_bits_is_scaled_not_cut_off(self):
        deep = np.array([[0, 257, 32768, 65535]], np.uint16)
        for data in (
            saved(deep, "PNG"),
            saved(deep, "TIFF"),
            saved(Image.fromarray(deep.astype(">u2")), "TIFF"),
        ):
            assert pixels(data)[0, :, 1].tolist() == [0, 1, 128, 255]

    def test_grey_tiff_whose_zero_is_white_and_of_12_bits(self):
        tags = {256: (3, [2]), 257: (3, [1]), 258: (3, [16]), 259: (3, [1]), 262: (3, [0]), 273: (4, [8])}
        tags |= {277: (3, [1]), 278: (3, [1]), 279: (4, [4])}
        assert pixels(tiff(tags, struct.pack("<HH", 0, 32768)))[0, :, 0].tolist() == [255, 127]
        tags |= {258: (3, [12]), 262: (3, [1]), 279: (4, [3])}
        assert pixels(tiff(tags, bytes([0xFF, 0xF8, 0x00])))[0, :, 0].tolist() == [255, 128]

    def test_colour_of_16_bits(self):
        row = struct.pack(">HHHHHH", 0, 0x8000, 0xFFFF, 0x1234, 0x00FF, 0xFF00)
        assert pixels(png(2, 1, 16, 2, row))[0].tolist() == [[0, 128, 255], [0x12, 0, 255]]
        row = struct.pack(">HHHH", 0x8000, 0, 0, 0xFFFF)
        assert pixels(png(1, 1, 16, 6, row))[0].tolist() == [[128, 0, 0]]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0.0, 0.5, 1.0], [0, 128, 255]),
            ([0.0, 127.6, 255.0], [0, 128, 255]),
            ([0.0, 257.0, 65535.0], [0, 1, 255]),
            ([-1.0, 0.0, 1.0], [0, 128, 255]),
            ([np.nan, np.inf, 1.0], [0, 0, 255]),
            ([1e38, -1e38, 0.0], [255, 0, 128]),
            ([0.0, 0.0, 0.0], [0, 0, 0]),
        ],
    )
    def test_float_tiff(self, values, expected):
        assert pixels(saved(np.array([values], np.float32), "TIFF"))[0, :, 2].tolist() == expected

    def test_whole_number_tiff(self):
        assert pixels(saved(np.array([[0, 1, 255]], np.int32), "TIFF"))[0, :, 0].tolist() == [0, 1, 255]
        assert pixels(saved(np.array([[-100, 0, 100]], np.int32), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]

    @pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
    def test_cmyk(self, kind):
        inks = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
        decoded = pixels(saved(inks, kind))
        assert abs(decoded.astype(int) - (0, 255, 255)).max() <= 3

    def test_cmyk_jpeg_holds_inverted_values_as_adobe_writes_them(self):
        data = saved(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")
        assert b"Adobe" in data
        assert (pixels(data) == 255).all()

    def test_lab_is_refused_by_its_name(self):
        with pytest.raises(PhotoError, match="colour mode LAB"):
            read_photo(saved(Image.new("LAB", (4, 4)), "TIFF"), "photo.tiff")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_of_several_frames_the_first_is_read(kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = saved(
        frames[0],
        kind,
        save_all=True,
        append_images=frames[1:],
        **({"lossless": True} if kind == "WEBP" else {}),
    )
    assert abs(pixels(data).astype(int) - (255, 0, 0)).max() <= 3


class TestRefusals:
    """Every failure is a ``PhotoError`` with one line."""

    def refused(self, data, name="photo.png"):
        with pytest.raises(PhotoError) as raised:
            read_photo(data, name)
        sentence = str(raised.value)
        assert sentence.startswith(name)
        assert "\n" not in sentence
        assert len(sentence) < 200
        assert raised.value.__cause__ is None
        return sentence

    def test_empty(self):
        assert self.refused(b"") == "photo.png is empty"

    def test_too_many_bytes_are_not_even_opened(self, monkeypatch):
        monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
        assert "10.0 MB" in self.refused(bytes(MAX_BYTES + 1))

    @pytest.mark.parametrize(
        "data",
        [
            b"PK\x03\x04" + bytes(100),
            b"<!doctype html><html><body>not a photo</body></html>",
            b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
            b"%PDF-1.7\n",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            b"P6 1 1 255 \0\0\0",
            b"\0",
            bytes(5000),
        ],
    )
    def test_other_formats(self, data):
        assert "is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture" in self.refused(data)

    @pytest.mark.parametrize("size", [(6400, 6300), (20_000, 20_000), (2_000_000_000, 2_000_000_000)])
    def test_pixels_are_counted_before_decoding(self, size, monkeypatch):
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert "40 million" in self.refused(png(*size, 8, 2, b""))

    def test_pixels_of_other_formats_are_counted_before_decoding(self, monkeypatch):
        monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
        gif = b"GIF89a" + struct.pack("<HH", 7000, 7000) + b"\x80\0\0" + bytes(6)
        gif += b"," + struct.pack("<HHHH", 0, 0, 7000, 7000) + b"\0\x02\x02\x44\x01\0;"
        bmp = bytearray(saved(np.zeros((2, 2, 3), np.uint8), "BMP"))
        bmp[18:26] = struct.pack("<ii", 7000, -7000)
        jpeg = bytearray(saved(np.zeros((8, 8, 3), np.uint8), "JPEG"))
        frame = jpeg.index(b"\xff\xc0")
        jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 7000, 7000)
        tags = {
            256: (4, [7000]),
            257: (4, [7000]),
            258: (3, [8]),
            259: (3, [1]),
            262: (3, [1]),
            273: (4, [8]),
        }
        tags |= {277: (3, [1]), 278: (4, [7000]), 279: (4, [4])}
        webp = (
            b"RIFF"
            + struct.pack("<I", 22)
            + b"WEBPVP8X"
            + struct.pack("<I", 10)
            + bytes(4)
            + b"\x57\x1b\0\x57\x1b\0"
        )
        for data in (gif, bytes(bmp), bytes(jpeg), tiff(tags, bytes(4))):
            assert "7000 x 7000" in self.refused(data)
        self.refused(webp)

    def test_a_gif_frame_larger_than_its_screen_counts(self):
        gif = b"GIF89a" + struct.pack("<HH", 2, 2) + b"\x80\0\0" + bytes(6)
        gif += b"," + struct.pack("<HHHH", 0, 0, 7000, 7000) + b"\0\x02\x02\x44\x01\0;"
        assert "7000 x 7000" in self.refused(gif)

    def test_a_side_can_be_too_long(self):
        assert "a side of at most 65535" in self.refused(png(70_000, 1, 8, 0, b""))

    def test_a_tiff_that_writes_the_same_pixels_again_and_again(self):
        many = 20_000
        tags = {
            256: (4, [1000]),
            257: (4, [1000]),
            258: (3, [8]),
            259: (3, [1]),
            262: (3, [1]),
            273: (4, [8] * many),
        }
        tags |= {277: (3, [1]), 278: (4, [500]), 279: (4, [500_000] * many)}
        assert "too long" in self.refused(tiff(tags, bytes(1_000_000)))

    def test_a_jpeg_of_endless_scans(self):
        data = saved(np.zeros((2000, 2000, 3), np.uint8), "JPEG", progressive=True)
        scan = data.rindex(b"\xff\xda")
        assert "too long" in self.refused(data[:-2] + data[scan:-2] * 5000 + data[-2:])

    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.filterwarnings("ignore:Truncated File Read")
    def test_cut_short_anywhere(self, kind):
        data = saved(gradient(), kind)
        for length in range(0, len(data) - 1, max(1, len(data) // 60)):
            try:
                photo = read_photo(data[:length], "photo.png")
            except PhotoError as error:
                assert "\n" not in str(error)
            else:  # only the bytes behind the last pixel were missing
                assert length > len(data) / 2
                assert photo.pixels.shape == (24, 40, 3)

    @pytest.mark.parametrize("kind", [*FORMATS, "progressive", "LZW", "RLE"])
    def test_bytes_changed_anywhere(self, kind):
        if kind == "progressive":
            data = saved(gradient(), "JPEG", progressive=True)
        elif kind == "LZW":
            data = saved(gradient(), "TIFF", compression="tiff_lzw")
        elif kind == "RLE":
            data = rle_bmp()
        else:
            data = saved(gradient(), kind)
        draw = np.random.default_rng(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(150):
                changed = np.frombuffer(data, np.uint8).copy()
                places = draw.integers(0, len(data) if draw.random() < 0.5 else min(64, len(data)), 3)
                changed[places] = draw.integers(0, 256, 3)
                try:
                    photo = read_photo(changed.tobytes(), "photo.png")
                except PhotoError as error:
                    assert "\n" not in str(error)
                else:
                    assert photo.pixels.ndim == 3

    def test_names_are_made_harmless(self):
        with pytest.raises(PhotoError) as raised:
            read_photo(b"", "../../etc/\x1b[31mpass\nwd\x00" + "x" * 500 + ".png")
        assert str(raised.value).startswith("[31mpasswd")
        assert len(str(raised.value)) < 100
        with pytest.raises(PhotoError, match=r"^The photo is empty"):
            read_photo(b"", "\n")


def rle_bmp():
    """A run-length encoded BMP, 8 x 2."""
    body = bytes([8, 1, 0, 0, 8, 2, 0, 1])
    palette = bytes([0, 0, 0, 0, 10, 20, 30, 0, 40, 50, 60, 0])
    header = struct.pack("<IiiHHIIiiII", 40, 8, 2, 1, 8, 1, len(body), 0, 0, 3, 0)
    offset = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + palette + body


def test_run_length_encoded_bmp():
    decoded = pixels(rle_bmp())
    assert decoded[0, 0].tolist() == [60, 50, 40]
    assert decoded[1, 0].tolist() == [30, 20, 10]


def test_pillow_is_left_as_it_was():
    before = Image.MAX_IMAGE_PIXELS, set(Image.OPEN)
    for data in (saved(gradient(), "PNG"), b"x"):
        try:
            read_photo(data, "photo")
        except PhotoError:
            continue
    assert before[0] == Image.MAX_IMAGE_PIXELS
    assert Image.open(io.BytesIO(saved(gradient(), "PNG"))).size == (40, 24)
