"""Media of items: where the bytes of an image are, and what the tables say about it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddfast.annotated.image import Image, MediaElement
from ddfast.annotated.media import PointCloud, Video
from ddfast.annotated.paths import inner_path
from ddfast.errors import EscapingPathError
from ddfast.reader import MsgpackReader

if TYPE_CHECKING:
    from ddfast.annotated.item import DatasetItem

KINDS: dict[str, type[Any]] = {"image": Image, "point_cloud": PointCloud, "video": Video}

Read = Callable[[str], bytes]


def media_of(row: Mapping[str, Any]) -> MediaElement | None:
    """The media of an item that is not in memory; its bytes are read when they are asked for.

    Parameters:
        row: of the table of items, by column.
    """
    kind, place, path = row.get("kind"), row.get("place"), row.get("path")
    if kind is None:
        return None
    name = row.get("key") or path or ""
    size = (row["height"], row["width"]) if row.get("height") and row.get("width") else None
    if kind == "image" and place and not Path(place).is_dir():
        return Image(data=lambda: opened(place)(name), path=path, size=size)
    full = str(Path(place, path)) if place and path else path
    if kind == "image":
        return Image(path=full, size=size) if full or size else None
    return KINDS[kind](full)  # type: ignore[no-any-return]


def opened(place: str) -> Read:
    """A function that reads a file of a folder or ZIP archive by its path, or the image of a sample by its key.

    It raises `EscapingPathError` if a path leaves the folder, `FileNotFoundError` or `KeyError` if there is no file.
    """
    if Path(place).is_dir():
        return _folder(place)
    if zipfile.is_zipfile(place):
        return zipfile.ZipFile(place).read
    return _dataset(place)


def _dataset(place: str) -> Read:
    reader = MsgpackReader(place)

    def read(key: str) -> bytes:
        return bytes(reader.get(reader.find_index(key))["image"])

    return read


def _folder(place: str) -> Read:
    folders = {"": os.path.realpath(place)}  # real paths, which no link in the folder leaves

    def read(name: str) -> bytes:
        folder, _, base = name.rpartition("/")
        if folder not in folders:
            folders[folder] = os.fspath(folder_file(place, name).parent)
        path = Path(folders[folder], base)
        return (folder_file(place, name) if path.is_symlink() else path).read_bytes()

    return read


def folder_file(place: str, name: str) -> Path:
    """The real path of a file in a folder.

    Raises:
        EscapingPathError: it is not in the folder: ``name`` is absolute or has ``..``, or is a link.
    """
    root = os.path.realpath(place)
    real = os.path.realpath(Path(root, inner_path(name)))
    if os.path.commonpath([real, root]) != root:
        raise EscapingPathError(f"{Path(place, name)} is a link that leaves {place}")
    return Path(real)


def columns_of_media(items: Sequence[DatasetItem], objects: dict[int, Image]) -> dict[str, list[Any]]:
    """Columns kind, place, path, height and width of items; images in memory are put into ``objects``, by row."""
    columns: dict[str, list[Any]] = {name: [] for name in ("kind", "place", "path", "height", "width")}
    for number, item in enumerate(items):
        values = _media_row(item.media)
        if isinstance(item.media, Image) and item.media.has_data and values["place"] is None:
            objects[number] = item.media
        for name, column in columns.items():
            column.append(values[name])
    return columns


def _media_row(media: MediaElement | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("kind", "place", "path", "height", "width"))
    if media is None:
        return row
    row["kind"] = next(name for name, kind in KINDS.items() if isinstance(media, kind))
    row["path"] = media.path or None
    if isinstance(media, Image) and media.has_size and media.size is not None:
        row["height"], row["width"] = media.size
    if media.is_file:
        row["place"], row["path"] = os.path.split(Path(media.path).absolute())
    return row
