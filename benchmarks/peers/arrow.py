"""Samples as Arrow tables, for the peers that store Arrow data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.peers.contract import Columns, Sample

RUN_BYTES = 4 << 20
RUN_ROWS = 1024


def schema_of(sample: Sample, vec: Any = None) -> pa.Schema:
    """Types of the fields; ``vec`` is the type of an array column, by default a list of floats of fixed length."""
    if "vec" in sample:
        payload = ("vec", vec or pa.list_(pa.float32(), len(sample["vec"])))
    else:
        payload = ("image", pa.binary())
    return pa.schema([("key", pa.string()), payload, ("label", pa.int64())])


def record_batches(samples: Iterator[Sample], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The samples in record batches."""
    while block := list(islice(samples, RUN_ROWS if "vec" in schema.names else 32)):
        yield pa.record_batch([as_array(block, field) for field in schema], schema=schema)


def as_array(block: list[Sample], field: pa.Field) -> pa.Array:
    """One column."""
    values = [sample[field.name] for sample in block]
    if pa.types.is_fixed_size_binary(field.type):
        return pa.array([value.tobytes() for value in values], field.type)
    if pa.types.is_fixed_size_list(field.type):
        return pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(values)), type=field.type)
    return pa.array(values, field.type)


def as_columns(batch: pa.RecordBatch) -> Columns:
    """Columns over the memory of a record batch: numbers and arrays as numpy arrays, others as Arrow arrays."""
    return {name: as_column(batch.column(name)) for name in batch.schema.names}


def as_column(array: Any) -> Any:
    """One column of `as_columns`."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    if pa.types.is_integer(array.type):
        return array.to_numpy()
    if pa.types.is_fixed_size_list(array.type):
        return array.flatten().to_numpy().reshape(len(array), array.type.list_size)
    if pa.types.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        data = memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]
        return np.frombuffer(data, np.float32).reshape(len(array), width // 4)
    return array


def run_of(size: int, n: int) -> int:
    """Number of rows to read at once if samples are requested one by one; ``n`` rows have ``size`` bytes."""
    return max(1, min(RUN_ROWS, RUN_BYTES * n // max(1, size)))


def rows(columns: Columns) -> Iterator[Sample]:
    """The samples of some columns."""
    names = list(columns)
    lists = [
        values.to_pylist()
        if isinstance(values, pa.Array)
        else values.tolist()
        if values.ndim == 1
        else values
        for values in columns.values()
    ]
    for row in zip(*lists, strict=True):
        yield dict(zip(names, row, strict=True))
