"""Names of media: which extensions images have, and the id of an item from the name of its file."""

from __future__ import annotations

import posixpath
import unicodedata

from ddfast.errors import EscapingPathError

IMAGE_EXTENSIONS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".webp", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".ras", ".sr", ".exr", ".hdr", ".pic",
    ".tga", ".ico", ".dcm",
})  # fmt: skip


def image_extension(name: str) -> str:
    """The extension of a file name if it is one of an image, in any case; otherwise empty."""
    extension = name[name.rfind(".") :]
    return extension if extension.lower() in IMAGE_EXTENSIONS and extension != name else ""


def item_id(name: str) -> str:
    """The id of an item from the name of its file: ``"a/b.rgb.JPG"`` gives ``"a/b.rgb"``."""
    extension = image_extension(name)
    return name[: -len(extension)] if extension else name


def inner_path(name: str) -> str:
    """A path of a file as part of a dataset: with ``/``, without ``.`` and empty parts.

    Raises:
        EscapingPathError: it is absolute, has a drive, or contains ``..`` beyond its first folder.
    """
    path = name.replace("\\", "/")
    if path.startswith("/") or (len(path) > 1 and path[1] == ":") or "\0" in path:
        raise EscapingPathError(f"{name!r} is not a relative path")
    if "./" not in path and "//" not in path and not path.endswith(("/", ".")):
        return path
    path = posixpath.normpath(path)
    if path == ".." or path.startswith("../"):
        raise EscapingPathError(f"{name!r} leaves the folder of the dataset")
    return path


def matching_form(name: str) -> str:
    """The form in which names of files are compared: NFC, extension in lower case."""
    name = name if name.isascii() else unicodedata.normalize("NFC", name)
    stem, extension = posixpath.splitext(name)
    return stem + extension.lower()
