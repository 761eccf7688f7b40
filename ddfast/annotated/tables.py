"""The tables of an annotated dataset: items, their annotations, and the categories both refer to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.gather import spread, take_rows
from ddfast.annotated.packing import float_values
from ddfast.annotated.schema import annotation_types, item_types

if TYPE_CHECKING:
    import pyarrow as pa

    from ddfast.annotated.categories import Categories
    from ddfast.annotated.image import Image
    from ddfast.annotated.kinds import AnnotationType

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """Items and annotations as Arrow tables.

    Parameters:
        items: one row an image, video, point cloud or text; columns of `schema.ITEM_COLUMNS`, without those that are
            null in all rows.
        annotations: one row an annotation, with the columns of `schema.ANNOTATION_COLUMNS` likewise. Annotations of an
            item follow each other, in the order of the source, and come in the order of items.
        categories: by type of annotation.
        media: images that are in memory, by row of their item.
    """

    items: pa.Table
    annotations: pa.Table
    categories: Mapping[AnnotationType, Categories] = field(default_factory=dict)
    media: Mapping[int, Image] = field(default_factory=dict)

    @classmethod
    def empty(cls, categories: Mapping[AnnotationType, Categories] | None = None) -> Tables:
        """Tables without rows."""
        return cls(TableBuilder.of_items().finish(), TableBuilder.of_annotations().finish(), categories or {})

    @classmethod
    def of(
        cls,
        items: pa.Table,
        annotations: pa.Table,
        categories: Mapping[AnnotationType, Categories],
        media: Mapping[int, Image] | None = None,
    ) -> Tables:
        """Tables of annotations in any order: they are sorted by item; those of one item keep their order."""
        annotations = _without_sizes_of_items(items, sort_by_item(annotations))
        return cls(items, annotations, categories, media or {})

    @cached_property
    def starts(self) -> Rows:
        """First annotation of each item, and their number; int64, shape ``(items + 1,)``."""
        counts = np.bincount(self.item_rows, minlength=self.items.num_rows)
        starts = np.zeros(self.items.num_rows + 1, np.int64)
        np.cumsum(counts, out=starts[1:])
        return starts

    @cached_property
    def item_rows(self) -> npt.NDArray[np.int32]:
        """Item of each annotation; int32, shape ``(annotations,)``."""
        return integers(self.annotations, "item")

    def take_items(self, rows: npt.ArrayLike) -> Tables:
        """The tables of some items, in the order given, with their annotations."""
        rows = np.asarray(rows, np.int64)
        starts = self.starts
        counts = starts[rows + 1] - starts[rows]
        annotations = take_rows(self.annotations, spread(starts[rows], counts))
        annotations = with_column(
            annotations, "item", np.repeat(np.arange(len(rows), dtype=np.int32), counts)
        )
        media = {
            new: self.media[old] for new, old in enumerate(rows.tolist()) if old in self.media
        } if self.media else {}  # fmt: skip
        return Tables(self.items.take(rows), annotations, self.categories, media)

    def filter_annotations(self, keep: npt.NDArray[np.bool_]) -> Tables:
        """The tables with the annotations for which ``keep`` is true."""
        return Tables(
            self.items, take_rows(self.annotations, np.flatnonzero(keep)), self.categories, self.media
        )

    def with_categories(self, categories: Mapping[AnnotationType, Categories]) -> Tables:
        """The same tables with other categories."""
        return replace(self, categories=categories)

    def blocks(self, count: int = 4096) -> Iterator[tuple[int, int]]:
        """First and last row + 1 of blocks of ``count`` items, for work that needs memory in proportion."""
        total = self.items.num_rows
        for first in range(0, total, count):
            yield first, min(first + count, total)

    def annotations_of(self, first: int, stop: int) -> pa.Table:
        """Annotations of the items ``[first, stop)``, without a copy."""
        start, end = self.starts[first], self.starts[stop]
        return self.annotations.slice(start, end - start)

    def complete_items(self) -> pa.Table:
        """Items with all columns of the schema; those that the tables lack are null."""
        return _complete(self.items, item_types())

    def complete_annotations(self) -> pa.Table:
        """Annotations with all columns of the schema; those that the tables lack are null."""
        return _complete(self.annotations, annotation_types())


def _complete(table: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    import pyarrow as pa

    fields, columns = [], []
    for name, kind in types.items():
        if name in table.column_names:
            fields.append(table.schema.field(name))
            columns.append(table.column(name))
        else:
            fields.append(pa.field(name, kind))
            columns.append(pa.chunked_array([_nulls(table.num_rows, kind)], kind))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, table.schema.metadata))


def _nulls(count: int, kind: pa.DataType) -> pa.Array:
    """Nulls that take no memory until they are written to, unlike those of ``pa.nulls``: untouched pages of zeros."""
    import pyarrow as pa

    if not (pa.types.is_primitive(kind) or pa.types.is_dictionary(kind)):
        return pa.nulls(count, kind)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(_nulls(count, kind.index_type), pa.array([], kind.value_type))
    bitmap, values = (pa.py_buffer(np.zeros(count // 8 + 8 * size, np.uint8)) for size in (1, count + 1))
    return pa.Array.from_buffers(kind, count, [bitmap, values], null_count=count)


def _without_sizes_of_items(items: pa.Table, annotations: pa.Table) -> pa.Table:
    """Annotations without the sizes of masks, if all masks have the size of their item."""
    if "mask_height" not in annotations.column_names or not items.num_rows:
        return annotations
    rows = integers(annotations, "item")
    for own, name in (("mask_height", "height"), ("mask_width", "width")):
        sizes = integers(annotations, own, -1)
        if not np.array_equal(sizes[sizes >= 0], integers(items, name, -2)[rows][sizes >= 0]):
            return annotations
    return annotations.drop_columns(["mask_height", "mask_width"])


def sort_by_item(annotations: pa.Table) -> pa.Table:
    """Annotations in the order of their items; those of one item keep their order."""
    items = integers(annotations, "item")
    if bool(np.all(items[1:] >= items[:-1])):
        return annotations
    return take_rows(annotations, np.argsort(items, kind="stable"))


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """A table with a column added or replaced; ``values`` is an Arrow or numpy array."""
    import pyarrow as pa

    if isinstance(values, np.ndarray):
        values = pa.array(values)
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)


def integers(table: pa.Table, name: str, missing: int = 0) -> npt.NDArray[Any]:
    """A column of integers as a numpy array; ``missing`` stands for null, and for all rows of an absent column."""
    import pyarrow as pa

    if name not in table.column_names:
        return np.full(table.num_rows, missing, np.int64)
    column = table.column(name)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if column.null_count:
        column = column.fill_null(missing)
    values: npt.NDArray[Any] = column.to_numpy()
    return values


def floats(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """A column of numbers as float64; NaN stands for null, and for all rows of an absent column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column(name).combine_chunks()
    return float_values(column, table.schema.field(name))


def known_sizes(items: pa.Table) -> npt.NDArray[np.int64]:
    """Height and width of each item, zeros if the table does not say them; int64, shape ``(items, 2)``."""
    return np.stack([integers(items, name) for name in ("height", "width")], axis=1).astype(np.int64)


def mask_sizes(annotations: pa.Table, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Height and width of the mask of each annotation: its own, or those of its item.

    Parameters:
        annotations: their table.
        sizes: height and width of the items.

    Returns:
        int64, shape ``(annotations, 2)``.
    """
    own = np.stack([integers(annotations, f"mask_{name}", -1) for name in ("height", "width")], axis=1)
    return np.where(own < 0, sizes[integers(annotations, "item")], own).astype(np.int64)


def lists(table: pa.Table, name: str) -> tuple[npt.NDArray[Any], Rows]:
    """All values of a column of lists, and where the list of each row starts in them.

    A null is an empty list.

    Returns:
        values; offsets, int64, shape ``(rows + 1,)``.
    """
    if name not in table.column_names:
        return np.empty(0), np.zeros(table.num_rows + 1, np.int64)
    column = table.column(name).combine_chunks()
    offsets = np.zeros(len(column) + 1, np.int64)
    lengths = column.value_lengths()
    np.cumsum((lengths.fill_null(0) if lengths.null_count else lengths).to_numpy(), out=offsets[1:])
    field = table.schema.field(name)
    if field.type.value_type in _float_types():
        return float_values(column, field), offsets
    return column.flatten().to_numpy(zero_copy_only=False), offsets


def codes(table: pa.Table, name: str) -> tuple[npt.NDArray[np.int32], list[Any]]:
    """A dictionary column as codes, -1 for null, and the value of each code."""
    if name not in table.column_names:
        return np.full(table.num_rows, -1, np.int32), []
    column = table.column(name).unify_dictionaries().combine_chunks()
    indices = column.indices
    if indices.null_count:
        indices = indices.fill_null(-1)
    return indices.to_numpy(zero_copy_only=False).astype(np.int32), column.dictionary.to_pylist()


def _float_types() -> tuple[Any, ...]:
    import pyarrow as pa

    return (pa.float32(), pa.float64())


def concatenate(parts: list[Tables]) -> Tables:
    """The tables of several datasets one after the other; the categories are those of the first."""
    items, annotations = TableBuilder.of_items(), TableBuilder.of_annotations()
    media: dict[int, Image] = {}
    for part in parts:
        first = len(items)
        media.update((first + row, image) for row, image in part.media.items())
        rows = with_column(part.annotations, "item", part.item_rows + np.int32(first))
        items.add_table(part.items)
        annotations.add_table(rows)
    return Tables(items.finish(), annotations.finish(), parts[0].categories, media)
