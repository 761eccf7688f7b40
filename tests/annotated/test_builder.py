"""Tables from chunks of columns."""

from __future__ import annotations

import pyarrow as pa

from ddfast.annotated.builder import TableBuilder


def test_sizes_of_items_are_integers() -> None:
    builder = TableBuilder.of_items()
    builder.add(2, id=["a", "b"], height=[60, None], width=[80, None])
    table = builder.finish()
    again = TableBuilder.of_items()
    again.add_table(table)
    for found in (table, again.finish()):
        assert found.schema.field("height").type == found.schema.field("width").type == pa.int32()
        assert found.column("height").to_pylist() == [60, None]


def test_boxes_are_packed_where_that_is_exact() -> None:
    builder = TableBuilder.of_annotations()
    builder.add(1, item=0, type="bbox", width=[12.25])
    assert builder.finish().schema.field("width").type == pa.float32()
