"""Reads the images of many items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddfast.annotated.media_files import Read, opened
from ddfast.annotated.tables import codes

if TYPE_CHECKING:
    from ddfast.annotated.tables import Tables


class MediaReader:
    """Reads the images of items; what they are in is opened once.

    Parameters:
        tables: of the items.

    Attributes:
        count: of the images that were read.
    """

    def __init__(self, tables: Tables) -> None:
        self._media = tables.media
        self._paths = _texts(tables, "path")
        self._keys = _texts(tables, "key")
        self._places, self._names = codes(tables.items, "place")
        self._open: dict[int, Read] = {}
        self.count = 0

    def read(self, row: int) -> bytes | None:
        """The bytes of the image of an item as they are in its file; None if there is no image.

        Pixels that no file has are encoded as PNG.

        Raises:
            FileNotFoundError: the file of an image is gone.
        """
        place = int(self._places[row])
        if row in self._media:
            image = self._media[row]
            content: bytes | None = image.bytes or (image.encode() if image.has_data else None)
        elif place < 0:
            return None
        else:
            if place not in self._open:
                self._open[place] = opened(self._names[place])
            content = self._open[place](self._keys[row] or self._paths[row] or "")
        self.count += content is not None
        return content


def _texts(tables: Tables, name: str) -> list[str | None]:
    if name not in tables.items.column_names:
        return [None] * int(tables.items.num_rows)
    return tables.items.column(name).to_pylist()  # type: ignore[no-any-return]
