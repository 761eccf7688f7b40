"""Images and other media."""

from __future__ import annotations

import contextlib
import warnings
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageOps

from ddfast.annotated import ByteImage, Image, MediaElement, MultiframeImage, PointCloud, Video
from ddfast.errors import ImageError, MediaError, MissingPackageError

PIXELS = np.random.default_rng(7).integers(0, 256, (4, 6, 3), dtype=np.uint8)  # red, green, blue


def packed(image, form="PNG", **options):
    out = BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


PNG = packed(PIL.Image.fromarray(PIXELS))


@pytest.fixture
def no_decoding(monkeypatch):
    def refuse(self, *args):
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)


def test_pixels_are_blue_green_red_and_kept_when_given():
    assert np.array_equal(Image(PNG).data, PIXELS[:, :, ::-1])
    assert np.array_equal(Image(PNG).rgb, PIXELS)
    assert Image(PNG).data.dtype == np.uint8
    given = np.ones((5, 5, 3))
    assert Image(given).data is given
    assert Image(given).size == (5, 5)


def test_size_comes_from_the_header(tmp_path, no_decoding):
    path = tmp_path / "photo.PNG"
    path.write_bytes(PNG)
    for image in (
        Image(path=path),
        Image.from_file(str(path)),
        Image(PNG),
        Image.from_bytes(PNG),
        Image(lambda: PNG),
    ):
        assert not image.has_size
        assert image.size == (4, 6)
        assert image.has_size
        assert image.stored_size == (4, 6)
        assert image.orientation == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("JPEG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_image_is_turned_upright(form, options, orientation):
    stored = PIL.Image.fromarray(PIXELS)
    exif = stored.getexif()
    exif[0x0112] = orientation
    data = packed(stored, form, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(PIL.Image.open(BytesIO(data))).convert("RGB"))
    image = Image(data)
    assert image.size == upright.shape[:2]
    assert image.stored_size == (4, 6)
    assert image.orientation == orientation
    assert np.array_equal(image.rgb, upright)
    assert image.bytes == data


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [
        ("L", (4, 6), np.uint8),
        ("1", (4, 6), np.uint8),
        ("P", (4, 6, 3), np.uint8),
        ("LA", (4, 6, 4), np.uint8),
        ("RGBA", (4, 6, 4), np.uint8),
        ("I;16", (4, 6), np.uint16),
    ],
)
def test_images_of_every_mode_are_decoded(mode, shape, dtype):
    if mode == "I;16":
        stored = PIL.Image.fromarray(PIXELS[:, :, 0].astype(np.uint16) * 257)
    else:
        stored = PIL.Image.fromarray(PIXELS).convert(mode)
    data = Image(packed(stored)).data
    assert (data.shape, data.dtype) == (shape, dtype)
    if mode == "I;16":
        assert np.array_equal(data, PIXELS[:, :, 0].astype(np.uint16) * 257)


def test_functions_return_pixels_or_bytes_and_may_take_the_path():
    assert np.array_equal(Image(lambda: PIXELS).data, PIXELS)
    assert np.array_equal(Image(lambda: PNG).rgb, PIXELS)
    assert Image(lambda path: PNG if path == "a/b.png" else None, path="a\\b.png").bytes == PNG
    assert Image(lambda: PIXELS).size == (4, 6)
    assert Image(lambda: None).data is None


def test_missing_file_has_no_data():
    image = Image(path="no/such.jpg", size=(10, 20))
    assert not image.has_data
    assert image.data is None
    assert image.rgb is None
    assert image.bytes is None
    assert image.size == (10, 20)
    assert image.stored_size == (10, 20)
    assert Image(path="no/such.jpg").size is None


def test_extension_is_given_or_of_the_path_or_of_the_bytes():
    assert Image(path="a/b.c.JPG").ext == ".JPG"
    assert Image(path="a/b.JPG", ext="png").ext == ".png"
    assert Image(PNG).ext == ".png"
    for form, ext in [
        ("JPEG", ".jpg"),
        ("BMP", ".bmp"),
        ("GIF", ".gif"),
        ("TIFF", ".tif"),
        ("WEBP", ".webp"),
    ]:
        assert ByteImage(packed(PIL.Image.fromarray(PIXELS), form)).ext == ext
    assert Image(b"what").ext == ""
    assert Image(PIXELS).ext == ""


def test_images_are_equal_by_content(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    bmp = packed(PIL.Image.fromarray(PIXELS), "BMP")
    same = [Image(PNG), Image(path=path), Image(PIXELS[:, :, ::-1]), Image(bmp), Image(lambda: PNG)]
    assert all(one == other for one in same for other in same)
    assert Image(PNG) != Image(PIXELS)
    assert Image(PNG) != Image(PIXELS[:2])
    assert Image(PNG) != Image(path="no/such.png", size=(4, 6))
    assert Image(path="a.png", size=(4, 6)) == Image(path="b.png", size=(4, 6))
    assert Image(path="a.png", size=(4, 6)) != Image(path="a.png")
    assert Image(PNG) != "a.png"


def test_equal_bytes_are_not_decoded(no_decoding):
    assert Image(PNG) == Image(bytes(bytearray(PNG)))
    assert Image(bytearray(PNG)).bytes == PNG


def test_bytes_are_copied_unless_another_format_is_asked_for(tmp_path):
    jpeg = packed(PIL.Image.fromarray(PIXELS), "JPEG", quality=30)
    Image(jpeg).save(tmp_path / "new" / "a.JPEG")
    assert (tmp_path / "new" / "a.JPEG").read_bytes() == jpeg
    Image(jpeg).save(tmp_path / "a.png")
    assert Image(path=tmp_path / "a.png") == Image(jpeg)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
def test_pixels_are_encoded(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    data = Image(pixels).encode(".png")
    assert np.array_equal(Image(data).data, pixels.squeeze())
    assert Image(Image(pixels.astype(float) + 300).encode(".jpg")).data.min() > 250


def test_sixteen_bits_are_kept():
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000
    assert np.array_equal(Image(Image(pixels).encode(".png")).data, pixels)


def test_image_with_too_many_pixels_is_refused(monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(MediaError, match=r"\d+ bytes has more pixels than Pillow opens.*MAX_IMAGE_PIXELS"):
        _ = Image(PNG).size
    with pytest.raises(MediaError, match="has more pixels than Pillow opens"):
        _ = Image(PNG).data
    assert Image(PNG, size=(4, 6)).size == (4, 6)


def test_damaged_image_is_named(tmp_path):
    path = tmp_path / "bad.png"
    path.write_bytes(PNG[:60])
    with pytest.raises(ImageError, match=r"bad\.png' cannot be read as an image"):
        _ = Image(path=path).data
    with pytest.raises(ImageError, match="5 bytes cannot be read as an image"):
        _ = Image(b"what?").size


FILES = [packed(PIL.Image.fromarray(PIXELS), form) for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")]


@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0),
)
def test_damaged_image_is_decoded_or_refused(data, changes, length):
    damaged = bytearray(data)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    image = Image(bytes(damaged[: length % len(damaged)] if length else damaged))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImageError, MediaError):
            assert image.data.shape[:2] == image.size


def test_file_is_found_with_other_separators(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.png").write_bytes(PNG)
    assert Image(path="a\\b.png").bytes == PNG
    assert Image(path="a\\b.png").size == (4, 6)
    (tmp_path / "a\\b.png").write_bytes(b"another")
    assert Image(path="a\\b.png").bytes == b"another"


def test_missing_pillow_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'ddfast\[annotated\]'"):
        _ = Image(PNG).size


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Image, "an Image needs data, a path or a size"),
        (lambda: Image("a.png"), r"Image\.data is 'a\.png'; write Image\(path='a\.png'\)"),
        (lambda: Image(path=5), r"Image\.path is 5; it must be a path"),
        (lambda: Image(np.ones(5)), r"Image\.data has shape \(5,\)"),
        (lambda: Image(np.ones((0, 5))), r"Image\.data has shape \(0, 5\)"),
        (lambda: Image([["a"]]), r"Image\.data has shape \(1, 1\) and type <U1"),
        (lambda: Image(lambda: 5).data, r"Image\.data has shape \(\)"),
        (lambda: Image(PIXELS, size=(6, 4)), r"Image\.size is \(6, 4\), but the array has .* \(4, 6\)"),
        (lambda: Image(path="a", size=(1,)), r"Image\.size is \(1,\); it must be height and width"),
        (lambda: Image(path="a", size=(0, 5)), r"Image\.size is \(0, 5\)"),
        (lambda: Image(path="a", size=(1.5, 5)), r"Image\.size is \(1\.5, 5\)"),
        (lambda: Image(path="a", size=5), r"Image\.size is 5"),
        (lambda: Image(path="no.png").encode(), "'no.png' has no data that could be written"),
        (lambda: Image(PIXELS).encode(".xyz"), "images cannot be written as '.xyz'"),
        (lambda: Image(np.ones((2, 2, 5))).encode(), r"an image of shape \(2, 2, 5\) .* cannot be written as '.png'"),
        (lambda: PointCloud(""), "a PointCloud needs a path"),
        (lambda: Video(""), "a Video needs a path"),
        (lambda: Video("a.mp4", step=0), "frames 0 to None in steps of 0; frames count from 0"),
        (lambda: Video("a.mp4", 1, 5, 4), "frames 5 to 4"),
        (MultiframeImage, "a MultiframeImage needs images or a path"),
    ],
)  # fmt: skip
def test_media_that_make_no_sense_are_refused(make, message):
    with pytest.raises(MediaError, match=message):
        make()


def test_other_media_have_paths_and_bytes(tmp_path):
    path = tmp_path / "a.pcd"
    path.write_bytes(b"points")
    cloud = PointCloud(path, extra_images=[PIXELS, "b.png", Image(PNG)])
    assert cloud.data == b"points"
    assert [type(image) for image in cloud.extra_images] == [Image] * 3
    assert cloud == PointCloud(path, [PIXELS, "b.png", Image(PNG)])
    assert cloud != PointCloud(path)
    assert cloud.ext == ".pcd"
    assert Video("a\\b.mp4").path == "a/b.mp4"
    assert Video("a.mp4") == Video("a.mp4", 1)
    assert Video("a.mp4") != Video("a.mp4", 2)
    assert not Video("a.mp4").has_data
    assert Video("a.mp4").data is None
    assert MultiframeImage([PIXELS]) == MultiframeImage([Image(PIXELS)])
    assert MultiframeImage([PIXELS]).data == [Image(PIXELS)]
    assert MediaElement("a") == MediaElement("a")
    assert MediaElement("a") != Video("a")


def test_nothing_warns_about_files_left_open(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Image(path=path).size == (4, 6)
        assert Image(path=path).data.shape == (4, 6, 3)
