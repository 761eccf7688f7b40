"""CompressedToPIL: the same images as datadings, with simplejpeg and without."""

import io
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
Image = pytest.importorskip("PIL.Image", reason="pillow is not installed")

from ddfast.errors import ImageError  # noqa: E402
from ddfast.torch import CompressedToPIL  # noqa: E402

PIXELS = np.random.default_rng(7).integers(0, 256, (24, 32, 3), np.uint8)


def encoded(kind, mode="RGB"):
    into = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(into, kind)
    return into.getvalue()


FORMATS = [
    ("JPEG", "RGB"),
    ("JPEG", "L"),
    ("JPEG", "CMYK"),
    ("PNG", "RGB"),
    ("PNG", "RGBA"),
    ("PNG", "P"),
    ("BMP", "L"),
]


@pytest.mark.parametrize(("kind", "mode"), FORMATS)
@pytest.mark.parametrize("form", [bytes, memoryview, bytearray])
@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
def test_images_are_those_of_datadings(kind, mode, form):
    reference = pytest.importorskip("datadings.torch", reason="datadings.torch needs simplejpeg")
    data = form(encoded(kind, mode))
    image, expected = CompressedToPIL()(data), reference.CompressedToPIL()(data)
    assert image.mode == expected.mode == "RGB"
    assert np.array_equal(np.asarray(image), np.asarray(expected))


@pytest.mark.parametrize(("kind", "mode"), FORMATS)
def test_pil_decodes_where_simplejpeg_is_not_installed(kind, mode, monkeypatch):
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = encoded(kind, mode)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(np.asarray(CompressedToPIL()(data)), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("simplejpeg", [True, False])
def test_a_damaged_image_is_told_by_size_and_beginning(kind, simplejpeg, monkeypatch):
    if not simplejpeg:
        monkeypatch.setitem(sys.modules, "simplejpeg", None)
    data = encoded(kind)[:200]
    with pytest.raises(ImageError, match=rf"an image of 200 bytes that begins with {data[:8].hex(' ')}"):
        CompressedToPIL()(data)


def test_what_is_no_image_is_an_os_error():
    with pytest.raises(OSError, match=r"9 bytes that begins with 6e 6f 20 69 6d 61 67 65: cannot identify"):
        CompressedToPIL()(b"no image!")
    with pytest.raises(OSError, match="0 bytes that begins with nothing"):
        CompressedToPIL()(b"")
    assert repr(CompressedToPIL()) == "CompressedToPIL()"
