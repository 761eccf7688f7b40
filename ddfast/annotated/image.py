"""Images, and the base of all media."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ddfast.annotated import pixels
from ddfast.annotated.checks import shown
from ddfast.errors import MediaError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ByteImage", "Image", "MediaElement", "as_image"]

Bytes: TypeAlias = bytes
Size: TypeAlias = tuple[int, int]
Pixels: TypeAlias = "np.ndarray[Any, Any]"
SAME = {".jpeg": ".jpg", ".jpe": ".jpg", ".tiff": ".tif"}


class MediaElement:
    """The base of all media.

    Parameters:
        path: the file, with ``/`` as separator; empty if it has none.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise MediaError(f"{type(self).__name__}.path is {shown(path)}; it must be a path")
        self._path = "" if path is None else os.fspath(path)

    @property
    def path(self) -> str:
        """The file, with ``/`` as separator; empty if it has none."""
        return self._path.replace("\\", "/")

    @property
    def ext(self) -> str:
        """The extension of the file, with a dot; empty if it has none."""
        return Path(self.path).suffix

    @property
    def has_data(self) -> bool:
        """Whether there is something to read."""
        return bool(self._path) and self._file.is_file()

    @property
    def is_file(self) -> bool:
        """Whether it is read from the file at `path`, which need not exist."""
        return bool(self._path)

    @property
    def bytes(self) -> Bytes | None:
        """The file's own bytes; None if there is no file."""
        return self._file.read_bytes() if self.has_data else None

    @property
    def _file(self) -> Path:
        """The path as it was given, or with other separators if there is no such file."""
        given = Path(self._path)
        return given if given.is_file() else Path(self.path)

    @property
    def data(self) -> Any:
        """What it shows; None if there is nothing to read."""
        return self.bytes

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        assert isinstance(other, MediaElement)
        return self.path == other.path

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self._path!r})"


class Image(MediaElement):
    """An image: a file, the bytes of a file, or pixels. Nothing is read before it is needed.

    Two images are equal if their bytes are, or their sizes and pixels; images without data, if their sizes are.

    Parameters:
        data: the bytes of a file; an array of shape (height, width) or (height, width, channels), blue first; or a
            function that returns one of them, and that is called with the path if it has a parameter.
        path: the file.
        ext: the extension, if the path does not say it.
        size: height and width as displayed, if they are known. They are not compared with the file.

    Raises:
        MediaError: there is neither data, path nor size, or a value makes no sense.
    """

    def __init__(
        self,
        data: Any = None,
        path: str | os.PathLike[str] | None = None,
        ext: str | None = None,
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__(path)
        self._data: Any = None if data is None else image_source(data)
        self._header: pixels.Header | None = None
        self._size = None if size is None else image_size(size)
        self._ext = None if ext is None else f".{ext.removeprefix('.')}".lower()
        if data is None and not self._path and size is None:
            raise MediaError("an Image needs data, a path or a size")
        if isinstance(self._data, np.ndarray):
            shape = (self._data.shape[0], self._data.shape[1])
            if self._size not in (None, shape):
                raise MediaError(f"Image.size is {self._size}, but the array has height and width {shape}")
            self._size = shape

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: Any) -> Self:
        """An image in a file; `options` are further arguments of the constructor."""
        return cls(path=path, **options)

    @classmethod
    def from_numpy(cls, data: Pixels | Callable[[], Pixels], **options: Any) -> Self:
        """An image of pixels, or of a function that returns them."""
        return cls(data, **options)

    @classmethod
    def from_bytes(cls, data: Bytes | Callable[[], Bytes], **options: Any) -> Self:
        """An image of the bytes of a file, or of a function that returns them."""
        return cls(data, **options)

    @property
    def ext(self) -> str:
        """The extension with a dot: as it was given, else of the path, else of the bytes; may be empty."""
        if self._ext is not None:
            return self._ext
        return (
            super().ext
            or (pixels.guess_extension(self._data) if isinstance(self._data, bytes) else None)
            or ""
        )

    @property
    def has_data(self) -> bool:
        """Whether there are pixels or bytes to read."""
        return self._data is not None or super().has_data

    @property
    def is_file(self) -> bool:
        """Whether it is read from the file at `path`, which need not exist: there are neither bytes nor pixels."""
        return self._data is None and super().is_file

    @property
    def bytes(self) -> Bytes | None:
        """The bytes of the file, never encoded anew; None if there are pixels only, or nothing to read."""
        loaded = self._load()
        return loaded if isinstance(loaded, bytes) else None

    @property
    def data(self) -> Pixels | None:
        """The pixels, turned upright; None if there is nothing to read.

        An array that was given is returned as it is. Files are decoded each time, to uint8 (or what has more bits),
        of shape (height, width) if they are grey, else (height, width, 3 or 4) in the order blue, green, red, alpha.

        Raises:
            ImageError: the file is damaged, or its format is unknown.
            MediaError: the image has too many pixels.
            MissingPackageError: Pillow is not installed.
        """
        loaded: Pixels | Bytes | None = self._load()
        if isinstance(loaded, Bytes):
            loaded = pixels.decode(loaded, self._name())
        if loaded is not None and self._size is None:
            self._size = (int(loaded.shape[0]), int(loaded.shape[1]))
        return loaded

    @property
    def rgb(self) -> Pixels | None:
        """The pixels in the order red, green, blue, alpha; else as `data`."""
        data = self.data
        return None if data is None else pixels.swapped(data)

    @property
    def has_size(self) -> bool:
        """Whether the size is known already."""
        return self._size is not None or self._header is not None

    @property
    def size(self) -> Size | None:
        """Height and width as displayed; None if there is nothing to read.

        Raises:
            ImageError, MediaError, MissingPackageError: as of `data`.
        """
        if self._size is None:
            header = self._read_header()
            if header is not None:
                self._size = header.size
            elif callable(self._data):
                _ = self.data
        return self._size

    @property
    def stored_size(self) -> Size | None:
        """Height and width of the pixels in the file, before they are turned upright."""
        header = self._read_header()
        return self.size if header is None else header.stored_size

    @property
    def orientation(self) -> int:
        """The EXIF orientation, from 1 (upright) to 8."""
        header = self._read_header()
        return 1 if header is None else header.orientation

    def encode(self, ext: str = ".png", quality: int = 95) -> Bytes:
        """The bytes of a file of this kind: its own if they are of this kind, else its pixels encoded anew.

        Raises:
            MediaError: there is nothing to read, or the pixels cannot be written in this format.
            ImageError, MissingPackageError: as of `data`.
        """
        own = self.bytes
        if own is not None and plain_ext(self.ext) == plain_ext(ext):
            return own
        data = self.data
        if data is None:
            raise MediaError(f"{self._name()} has no data that could be written")
        return pixels.encode(data, ext, quality)

    def save(self, path: str | os.PathLike[str], quality: int = 95) -> None:
        """Write a file; its extension says the format, and folders are made. `encode` says when pixels are encoded.

        Raises:
            MediaError, ImageError, MissingPackageError: as of `encode`.
        """
        target = Path(path)
        encoded = self.encode(target.suffix, quality)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        if self is other:
            return True
        if not self.has_data or not other.has_data:
            return self.has_data == other.has_data and self.size == other.size
        own, others = self.bytes, other.bytes
        if own is not None and own == others:
            return True
        return self.size == other.size and same_pixels(self.data, other.data)

    __hash__ = None

    def __repr__(self) -> str:
        size = "" if self._size is None else f", size={self._size}"
        return f"Image({self._name()}{size})"

    def _name(self) -> str:
        if self._path:
            return repr(self._path)
        return f"{len(self._data):,} bytes" if isinstance(self._data, bytes) else "pixels"

    def _load(self) -> Any:
        """Bytes or pixels; None if there is nothing to read."""
        if callable(self._data):
            loaded = self._data(self.path) if takes_argument(self._data) else self._data()
            return loaded if loaded is None or isinstance(loaded, bytes) else checked_pixels(loaded)
        return super().bytes if self._data is None else self._data

    def _read_header(self) -> pixels.Header | None:
        """The header of the file or its bytes; None if there are pixels only, or nothing to read."""
        if self._header is None:
            source = self._data
            if source is None and super().has_data:
                source = str(self._file)
            elif callable(source):
                source = self._load()
            if isinstance(source, (bytes, str)):
                self._header = pixels.read_header(source, self._name())
        return self._header


ByteImage = Image


def plain_ext(ext: str) -> str:
    """One spelling of an extension."""
    ext = f".{ext.removeprefix('.')}".lower()
    return SAME.get(ext, ext)


def image_source(data: Any) -> Any:
    """What an image is read from: bytes, pixels, or a function that returns them.

    Raises:
        MediaError: the value is something else.
    """
    if isinstance(data, bytes) or callable(data):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, (str, os.PathLike)):
        raise MediaError(f"Image.data is {shown(data)}; write Image(path={str(data)!r})")
    return checked_pixels(data)


def image_size(size: Any) -> Size:
    """Height and width as integers.

    Raises:
        MediaError: they are something else.
    """
    try:
        height, width = size
        whole = (int(height), int(width))
    except (TypeError, ValueError, OverflowError):
        whole = (0, 0)
    if min(whole) <= 0 or list(whole) != list(size):
        raise MediaError(f"Image.size is {shown(size)}; it must be height and width, larger than 0")
    return whole


def checked_pixels(data: Any) -> Pixels:
    """An array of pixels.

    Raises:
        MediaError: it has other dimensions than an image.
    """
    array = np.asarray(data)
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3) or 0 in array.shape:
        raise MediaError(
            f"Image.data has shape {array.shape} and type {array.dtype}; it must be numbers of shape (height, width) or"
            " (height, width, channels)"
        )
    return array


def same_pixels(first: Pixels | None, second: Pixels | None) -> bool:
    """Whether two images show the same."""
    return first is not None and second is not None and np.array_equal(first, second)


def takes_argument(function: Callable[..., Any]) -> bool:
    """Whether a function cannot be called without an argument."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )


def as_image(value: Any) -> Image:
    """An image from what may stand for one: its path, pixels, bytes, a function, or an `Image`.

    Raises:
        MediaError: the value is something else.
    """
    if isinstance(value, Image):
        return value
    return Image(path=value) if isinstance(value, (str, os.PathLike)) else Image(value)
