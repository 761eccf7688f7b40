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
from ddfast.annotated.tables import codes
from ddfast.errors import EscapingPathError

if TYPE_CHECKING:
    from ddfast.annotated.item import DatasetItem
    from ddfast.annotated.tables import Tables

KINDS = {"image": Image, "point_cloud": PointCloud, "video": Video}


def media_of(tables: Tables, number: int, row: Mapping[str, Any]) -> MediaElement | None:
    """The media of an item; its bytes are read when they are asked for.

    Parameters:
        tables: of the item.
        number: row of the item.
        row: its values by column.
    """
    if number in tables.media:
        return tables.media[number]
    kind = row.get("kind")
    if kind is None:
        return None
    place, path = row.get("place"), row.get("path")
    full = os.path.join(place, path) if place and path else path
    if kind != "image":
        return KINDS[kind](path=full)
    size = (row["height"], row["width"]) if row.get("height") and row.get("width") else None
    if place and not os.path.isdir(place):
        return Image(data=lambda: read_media(place, path or ""), path=path, size=size)
    return Image(path=full, size=size)


def read_media(place: str, path: str) -> bytes:
    """The bytes of a file in a folder, in a ZIP archive, or of the image of a sample in a dataset.

    Raises:
        EscapingPathError: the path leaves the folder.
        FileNotFoundError: it is not there.
    """
    if os.path.isdir(place):
        return folder_file(place, path).read_bytes()
    if zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            return archive.read(path)
    from ddfast.reader import MsgpackReader

    with MsgpackReader(place) as reader:
        return bytes(reader[reader.find_index(path)]["image"])


def folder_file(place: str, path: str) -> Path:
    """The path of a file in a folder, which no part of it leaves.

    Raises:
        EscapingPathError: the path is absolute or has ``..``, or a link leads out of the folder.
    """
    full = os.path.join(place, inner_path(path))
    root = os.path.realpath(place)
    if os.path.commonpath([os.path.realpath(full), root]) != root:
        raise EscapingPathError(f"{full} is a link that leaves {place}")
    return Path(full)


def columns_of_media(items: Sequence[DatasetItem], objects: dict[int, Image]) -> dict[str, list[Any]]:
    """Columns kind, place, path, height and width of items; images in memory are put into ``objects``, by row."""
    columns: dict[str, list[Any]] = {name: [] for name in ("kind", "place", "path", "height", "width")}
    for number, item in enumerate(items):
        values = _media_row(item.media)
        if isinstance(item.media, Image) and values["place"] is None:
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
    if isinstance(media, Image):
        if media.has_size and media.size is not None:
            row["height"], row["width"] = media.size
        if media.is_file:
            row["place"], row["path"] = os.path.split(os.path.abspath(media.path))
    return row


class MediaReader:
    """Reads the images of items.

    Parameters:
        tables: of the items.

    Attributes:
        count: of the images that were read.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._paths = _column(tables, "path")
        self._keys = _column(tables, "key")
        self._places, self._place_names = codes(tables.items, "place")
        self._open: dict[str, Callable[[str], bytes]] = {}
        self.count = 0

    def read(self, row: int) -> bytes | None:
        """The bytes of the image of an item as they are in its file, or None if there is no image.

        Raises:
            FileNotFoundError: the file of an image is gone.
        """
        if row in self._tables.media:
            image = self._tables.media[row]
            content: bytes | None = image.bytes or (image.encode() if image.has_data else None)
        elif self._places[row] < 0:
            return None
        else:
            place = self._place_names[self._places[row]]
            if place not in self._open:
                self._open[place] = _opened(place)
            content = self._open[place](self._keys[row] or self._paths[row])
        self.count += content is not None
        return content


def _column(tables: Tables, name: str) -> list[str | None]:
    if name not in tables.items.column_names:
        return [None] * int(tables.items.num_rows)
    return tables.items.column(name).to_pylist()  # type: ignore[no-any-return]


def _opened(place: str) -> Callable[[str], bytes]:
    """A function that reads a file of a place by name."""
    if not os.path.isdir(place):
        return lambda name: read_media(place, name)
    root = os.path.realpath(place)
    folders = {"": root}

    def read(name: str) -> bytes:
        folder = os.path.dirname(name)
        if folder not in folders:
            folders[folder] = os.path.dirname(folder_file(place, name))
        path = os.path.join(folders[folder], os.path.basename(name))
        if os.path.islink(path):
            path = os.fspath(folder_file(place, name))
        with open(path, "rb", buffering=0) as file:
            return file.read()

    return read
