"""The items of Open Images: ids and subsets, images and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.image_files import ImageFiles
from ddfast.annotated.image_sizes import SIZES_FILE, Size, read_sizes
from ddfast.annotated.item import DEFAULT_SUBSET
from ddfast.annotated.paths import item_id
from ddfast.annotated.pixels import read_header
from ddfast.errors import FormatError, ImageError, MediaError
from ddfast.formats.open_images.csv_file import CsvTable
from ddfast.formats.open_images.layout import FULL_LIST, LISTS, csv_names

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.report import Report
    from ddfast.annotated.source_folder import SourceFolder

__all__ = ["OpenImagesItems"]

IMAGES = "images"


class OpenImagesItems:
    """Collects items from lists of images, from annotations, and from the images that there are.

    Parameters:
        source: the folder.
        image_meta: sizes that the user gave: a map, a file, or None.
        report: for problems.
    """

    def __init__(self, source: SourceFolder, image_meta: Any, report: Report) -> None:
        self._source = source
        self._report = report
        self._rows: dict[tuple[str, str], int] = {}
        self._by_id: dict[str, int] = {}
        self._files = ImageFiles(source)
        self._images: dict[int, str | None] = {}
        self._given = self._sizes_given(image_meta)
        self._sizes: dict[int, Size | None] = {}

    def _sizes_given(self, given: Any) -> Mapping[str, Size]:
        if isinstance(given, Mapping):
            return given
        if given:
            path = Path(given)
            path = path if path.exists() else self._source.root / given
            if not path.exists():
                raise FormatError(f"{given}, the file with the sizes of images, does not exist")
            return read_sizes(path.read_text("utf-8"), path, self._report)
        for name in (f"annotations/{SIZES_FILE}", SIZES_FILE):
            if name in self._source.files:
                return read_sizes(self._source.text(name), self._source.path(name), self._report)
        return {}

    def read_lists(self) -> None:
        """Add the items of the list of all images, or else of those of the subsets."""
        for name in csv_names(self._source, FULL_LIST) or csv_names(self._source, LISTS):
            table = CsvTable(self._source.path(name.path), ["ImageID", "Subset"], self._report)
            ids, subsets = (table.texts(column).to_pylist() for column in ("ImageID", "Subset"))
            for key, subset in zip(ids, subsets, strict=True):
                self._row(subset or name.subset or DEFAULT_SUBSET, key)

    def _row(self, subset: str, key: str) -> int:
        row = self._rows.setdefault((subset, key), len(self._rows))
        self._by_id.setdefault(key, row)
        return row

    def rows_of(self, ids: pa.Array, subset: str) -> npt.NDArray[np.int64]:
        """The item of each id of an annotation file; items that no list has are added.

        Parameters:
            ids: strings.
            subset: of the file. An id that only another subset has means that item.
        """
        encoded = ids.dictionary_encode()
        rows = [
            self._rows.get((subset, key), self._by_id.get(key, -1)) for key in encoded.dictionary.to_pylist()
        ]
        for place, key in enumerate(encoded.dictionary.to_pylist()):
            if rows[place] < 0:
                rows[place] = self._row(subset or DEFAULT_SUBSET, key)
        found: npt.NDArray[np.int64] = np.array(rows, np.int64)[
            encoded.indices.to_numpy(zero_copy_only=False)
        ]
        return found

    def keys(self) -> list[tuple[str, str]]:
        """Subset and id of each item."""
        return list(self._rows)

    def sizes_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Width and height of some items, NaN if they are unknown; shape ``(len(rows), 2)``."""
        keys = self.keys()
        unique, places = np.unique(rows, return_inverse=True)
        found = [self._size(row, *keys[row]) or (np.nan, np.nan) for row in unique.tolist()]
        return np.array(found, np.float64).reshape(-1, 2)[places][:, ::-1]

    def _size(self, row: int, subset: str, key: str) -> Size | None:
        if row not in self._sizes:
            self._sizes[row] = self._given_size(subset, key) or self._header(row, subset, key)
        return self._sizes[row]

    def _given_size(self, subset: str, key: str) -> Size | None:
        return self._given.get(f"{subset}/{key}") or self._given.get(key)

    def _header(self, row: int, subset: str, key: str) -> Size | None:
        image = self._image(row, subset, key)
        if image is None:
            return None
        path = str(self._source.path(image))
        try:
            return read_header(path, path).size
        except (ImageError, MediaError) as error:
            self._report.problem(str(error), path)
            return None

    def _image(self, row: int, subset: str, key: str) -> str | None:
        if row not in self._images:
            stems = [f"{IMAGES}/{subset}/{key}", f"{IMAGES}/{key}", f"{subset}/{key}", key]
            self._images[row] = self._files.find([], stems)
        return self._images[row]

    def finish(self) -> pa.Table:
        """The table of all items, and of images that no file names."""
        images = [self._image(row, *key) for row, key in enumerate(self.keys())]
        for path in self._files.unused():
            folder, _, inner = path.partition("/")
            if folder.lower() == IMAGES and "/" in inner:
                subset, _, name = inner.partition("/")
                if (subset, item_id(name)) not in self._rows:
                    self._row(subset, item_id(name))
                    images.append(path)
        keys = self.keys()
        sizes = [
            self._sizes.get(row) or self._given_size(*key) or (None, None) for row, key in enumerate(keys)
        ]
        root = str(self._source.root)
        items = TableBuilder.of_items()
        items.add(
            len(keys),
            id=[key for _, key in keys],
            subset=[subset for subset, _ in keys],
            kind="image",
            place=[None if image is None else root for image in images],
            path=images,
            height=[size[0] for size in sizes],
            width=[size[1] for size in sizes],
        )
        return items.finish()
