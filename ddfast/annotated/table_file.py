"""The file ``X.msgpack.table``: items with their annotations as an Arrow IPC file, which is mapped into memory.

One row an item: the columns of `schema.ITEM_COLUMNS`, and ``annotations``, a list of structures with the columns of
`schema.ANNOTATION_COLUMNS` but ``item``. Any reader of Arrow opens it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ddfast.annotated.builder import TableBuilder
from ddfast.annotated.schema import VERSION, arrow
from ddfast.annotated.tables import Tables
from ddfast.errors import TableFileError
from ddfast.index import SUFFIX_TABLE

if TYPE_CHECKING:
    import pyarrow as pa

ANNOTATIONS = "annotations"
BATCH_ITEMS = 65536

META_VERSION = b"ddfast.version"
META_DATASET = b"ddfast.dataset"


def write_table_file(path: Path, tables: Tables, dataset: str) -> None:
    """Write the table of a dataset.

    Parameters:
        path: of the new file.
        tables: items in the order of the samples.
        dataset: what identifies the data file, see `stored.identity`.
    """
    import pyarrow as pa

    annotations = (
        tables.annotations.drop_columns(["item"]) if "item" in tables.annotations.column_names else None
    )
    structure = pa.struct(list(annotations.schema)) if annotations is not None else pa.struct([])
    fields = [*tables.items.schema, pa.field(ANNOTATIONS, pa.list_(structure))]
    metadata = {META_VERSION: str(VERSION).encode(), META_DATASET: dataset.encode()}
    schema = pa.schema(fields, metadata)
    with pa.OSFile(os.fspath(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for first, stop in tables.blocks(BATCH_ITEMS):
            items = tables.items.slice(first, stop - first).combine_chunks()
            own = _structures(annotations, tables.starts[first], tables.starts[stop], structure)
            offsets = pa.array((tables.starts[first : stop + 1] - tables.starts[first]).astype(np.int32))
            column = pa.ListArray.from_arrays(offsets, own, type=pa.list_(structure))
            arrays = [_one_chunk(chunked) for chunked in items.columns]
            writer.write_batch(pa.RecordBatch.from_arrays([*arrays, column], schema=schema))


def _structures(annotations: pa.Table | None, start: int, stop: int, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if annotations is None or start == stop:
        return pa.array([], kind)
    columns = [_one_chunk(column) for column in annotations.slice(start, stop - start).columns]
    return pa.StructArray.from_arrays(columns, fields=list(kind))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def read_table_file(path: Path, dataset: str | None = None) -> Tables:
    """Map the table of a dataset; the categories are elsewhere.

    Parameters:
        path: of the file.
        dataset: what identifies the data file; None does not compare it.

    Raises:
        TableFileError: the file is damaged, of a later version, or the table of another data file.
        FileNotFoundError: there is no such file.
        MissingPackageError: pyarrow is not installed.
    """
    pa = arrow()

    try:
        with pa.memory_map(os.fspath(path)) as file:
            whole = pa.ipc.open_file(file).read_all()
    except pa.ArrowInvalid as error:
        raise TableFileError(f"{path} is damaged: {error}. {_remedy(path)}") from error
    metadata = whole.schema.metadata or {}
    if metadata.get(META_VERSION) != str(VERSION).encode():
        raise TableFileError(f"{path} was written by another version of ddfast. {_remedy(path)}")
    if dataset is not None and metadata.get(META_DATASET) != dataset.encode():
        raise TableFileError(f"{path} does not belong to the data file. {_remedy(path)}")
    try:
        whole.validate()
        return _tables_of(whole)
    except (pa.ArrowInvalid, KeyError) as error:
        raise TableFileError(f"{path} is damaged: {error}. {_remedy(path)}") from error


def _tables_of(whole: pa.Table) -> Tables:
    import pyarrow as pa

    items = whole.drop_columns([ANNOTATIONS]).replace_schema_metadata(None)
    nested = whole.column(ANNOTATIONS)
    structure = nested.type.value_type
    counts = [chunk.value_lengths().to_numpy() for chunk in nested.chunks]
    lengths = np.concatenate(counts) if counts else np.empty(0, np.int32)
    if not lengths.sum() or not structure.num_fields:
        return Tables(items, TableBuilder.of_annotations().finish())
    rows = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    flat = [chunk.flatten() for chunk in nested.chunks]
    columns: list[Any] = [pa.chunked_array([pa.array(rows)])]
    columns += [pa.chunked_array([chunk.field(i) for chunk in flat]) for i in range(structure.num_fields)]
    fields = [pa.field("item", pa.int32()), *structure]
    return Tables(items, pa.Table.from_arrays(columns, schema=pa.schema(fields)))


def _remedy(path: Path) -> str:
    return f"Run `ddfast index --table {str(path).removesuffix(SUFFIX_TABLE)}` to make it again"
