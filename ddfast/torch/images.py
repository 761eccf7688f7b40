"""Decoding of compressed images."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from ddfast.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN_BYTES = 8  # bytes of an undecodable image in error messages


class CompressedToPIL:
    """A transform from a compressed image, as bytes or a similar object, to a PIL image in RGB.

    Uses simplejpeg for JPEG if it is installed, and PIL for everything else.

    Raises:
        ImageError: PIL does not support the format, or the image is damaged; also an `OSError`.
    """

    def __call__(self, buf: Any) -> Image:
        image = _decode_jpeg(buf)
        return _decode_any(buf) if image is None else image

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _decode_jpeg(buf: Any) -> Image | None:
    """The image; None if it is not an intact JPEG, or simplejpeg is not installed."""
    try:
        from simplejpeg import decode_jpeg
    except ImportError:
        return None
    from PIL import Image

    try:
        return Image.fromarray(decode_jpeg(buf))
    except ValueError:
        return None


def _decode_any(buf: Any) -> Image:
    from PIL import Image

    try:
        with Image.open(BytesIO(buf)) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # PIL's plugins raise these for damaged files
        data = memoryview(buf).cast("B")
        begin = data[:SHOWN_BYTES].hex(" ") or "nothing"
        raise ImageError(
            f"PIL cannot decode an image of {len(data):,} bytes that begins with {begin}: {error}"
        ) from error
