"""Image files to arrays and back, and what their headers say, with Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ddfast.errors import ImageError, MediaError, MissingPackageError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

__all__ = ["Header", "decode", "encode", "guess_extension", "read_header"]

ORIENTATION = 0x0112  # tag of EXIF and TIFF
TIFF_WIDTH, TIFF_HEIGHT = 256, 257
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
COLORS = {"RGB", "RGBA", "L"}
NUMBERS = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}  # grey with more than 8 bits
MAGICS = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
    (b"BM", ".bmp"),
)
FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".jp2": "JPEG2000",
}


class Header(NamedTuple):
    """What the header of an image file says.

    Attributes:
        stored_size: height and width of the pixels in the file.
        orientation: EXIF orientation, from 1 (upright) to 8.
    """

    stored_size: tuple[int, int]
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as the image is displayed."""
        height, width = self.stored_size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)


def guess_extension(data: bytes) -> str | None:
    """The extension for image bytes, with a dot; None if their format is unknown."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((extension for magic, extension in MAGICS if data.startswith(magic)), None)


def pillow() -> Any:
    """The module `PIL.Image`.

    Raises:
        MissingPackageError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingPackageError("Reading images needs Pillow: pip install 'ddfast[annotated]'") from error
    return Image


@contextmanager
def opened(data: bytes | str, name: str) -> Iterator[PilImage]:
    """An image of which only the header has been read.

    Parameters:
        data: the file's bytes, or its path.
        name: what messages call it.

    Raises:
        MediaError: it has too many pixels.
        ImageError: it is damaged, or its format is unknown.
        MissingPackageError: Pillow is not installed.
    """
    image_module = pillow()
    try:
        with image_module.open(BytesIO(data) if isinstance(data, bytes) else data) as image:
            yield image
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as error:
        raise MediaError(
            f"{name} has more pixels than Pillow opens: {error}. If it can be trusted, raise"
            " PIL.Image.MAX_IMAGE_PIXELS; if only its size is needed, give size=(height, width)"
        ) from error
    except FileNotFoundError:
        raise
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
        KeyError,
        TypeError,
        struct.error,
    ) as error:
        raise ImageError(f"{name} cannot be read as an image: {error}") from error


def read_header(data: bytes | str, name: str) -> Header:
    """The header of an image file; no pixel is decoded.

    Parameters:
        data: the file's bytes, or its path.
        name: what messages call it.

    Raises:
        MediaError, ImageError, MissingPackageError: as of `opened`.
    """
    with opened(data, name) as image:
        return header_of(image)


def header_of(image: PilImage) -> Header:
    """The header of an opened image."""
    width, height = image.size
    if image.format == "TIFF":  # Pillow swaps the size of TIFF files, depending on its version
        tags = image.tag_v2  # type: ignore[attr-defined]
        width, height = int(tags[TIFF_WIDTH]), int(tags[TIFF_HEIGHT])
        orientation = tags.get(ORIENTATION, 1)
    elif image.format == "PNG" and "exif" not in image.info:
        orientation = 1  # Pillow would decode all of it to look for EXIF behind the pixels
    else:
        orientation = image.getexif().get(ORIENTATION, 1)
    return Header((height, width), orientation if orientation in range(1, 9) else 1)


def decode(data: bytes | str, name: str) -> np.ndarray[Any, Any]:
    """The pixels of an image file, turned upright.

    Returns:
        An array of shape (height, width) for grey images, else (height, width, 3 or 4) in the order blue, green, red
        and alpha; uint8, or the type of the file if it has more bits.

    Raises:
        MediaError, ImageError, MissingPackageError: as of `opened`.
    """
    with opened(data, name) as image:
        orientation = header_of(image).orientation
        image.load()
        if image.format == "TIFF":  # some versions of Pillow turn TIFF files upright, and remove the tag
            orientation = image.getexif().get(ORIENTATION, 1)
        return turned(to_array(image), orientation)


def to_array(image: PilImage) -> np.ndarray[Any, Any]:
    """Pixels in the order of OpenCV: blue, green, red, alpha."""
    if image.mode not in COLORS and image.mode not in NUMBERS:
        alpha = image.mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info
        image = image.convert("L" if image.mode == "1" else "RGBA" if alpha else "RGB")
    pixels = np.asarray(image)
    if not pixels.dtype.isnative:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    return swapped(pixels)


def swapped(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Red and blue exchanged, in new memory; grey pixels as they are."""
    if pixels.ndim < 3 or pixels.shape[2] not in (3, 4):
        return pixels
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[:, :, order])


def turned(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Pixels turned upright from an EXIF orientation."""
    if orientation in SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def encode(pixels: np.ndarray[Any, Any], extension: str, quality: int = 95) -> bytes:
    """An image file of pixels.

    Parameters:
        pixels: as `decode` returns them; numbers that are no integers are cut to 0 to 255.
        extension: says the format, such as ``".png"``.
        quality: of JPEG and WebP, from 1 to 100.

    Raises:
        MediaError: the format is unknown, or cannot hold these pixels.
        MissingPackageError: Pillow is not installed.
    """
    image_module = pillow()
    image_module.init()
    extension = extension.lower()
    form = FORMATS.get(extension) or image_module.EXTENSION.get(extension)
    if form not in image_module.SAVE:
        raise MediaError(f"images cannot be written as {extension!r}; use .png or .jpg")
    if pixels.dtype == np.bool_ or pixels.dtype.kind not in "iu" or pixels.dtype.itemsize > 2:
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if form == "JPEG" and pixels.ndim == 3:
        pixels = pixels[:, :, :3]
    out = BytesIO()
    try:
        image_module.fromarray(swapped(pixels)).save(out, form, quality=quality)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MediaError(
            f"an image of shape {pixels.shape} and type {pixels.dtype} cannot be written as {extension!r}: {error}"
        ) from error
    return out.getvalue()
