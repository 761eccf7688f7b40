"""JSON documents with arrays of records, what json reads from them, and what columns say."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from ddfast._native.json_reader import FLAT, MISSING, NULL_VALUE, OTHER, PRESENT, JSONColumn, JSONReader

KINDS = {
    "id": "int",
    "area": "number",
    "is crowd": "bool",
    "näme": "string",
    "bbox": "numbers",
    "seg\\ment\n": "segments",
    "info": "raw",
}
SCHEMAS = {"images": {"id": "int", "näme": "string"}, "anno\ttations": KINDS, "": KINDS}

texts = st.text(st.characters(), max_size=12) | st.text('a"\\/\b\f\n\r\té€😀', max_size=40)
integers = st.integers() | st.sampled_from([0, 2**53, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30])
floats = st.floats() | st.integers(-1000, 1000).map(float) | st.decimals(-1000, 1000, places=2).map(float)
numbers = integers | floats
scalars = st.none() | st.booleans() | numbers | texts
lists = st.lists(numbers, max_size=6)
values = st.recursive(
    scalars | lists, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=8
)
fitting = {
    "id": integers | st.integers(-(2**60), 2**60).map(float),
    "area": numbers,
    "is crowd": st.booleans(),
    "näme": texts,
    "bbox": lists,
    "seg\\ment\n": st.lists(lists, max_size=4) | lists,
    "info": values,
}
records = st.fixed_dictionaries(
    {}, optional={name: some | st.none() | values for name, some in fitting.items()}
).flatmap(lambda named: st.dictionaries(texts, values, max_size=2).map(lambda more: {**more, **named}))
arrays = st.lists(records, max_size=5)
objects = st.fixed_dictionaries(
    {},
    optional={
        "images": arrays,
        "anno\ttations": arrays,
        "info": values,
        "other": st.lists(values, max_size=5),
    },
)
documents = objects | arrays
layouts = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", "\t: ")]),
    }
)


def text_of(document: object, layout: dict[str, Any]) -> bytes:
    """JSON text; half surrogate pairs are escaped, as UTF-8 has none."""
    try:
        return json.dumps(document, **layout).encode()
    except UnicodeEncodeError:
        return json.dumps(document, **{**layout, "ensure_ascii": True}).encode()


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float(str(value))


def is_list(value: object) -> bool:
    return isinstance(value, list) and all(map(is_number, value))


def fits(value: Any, kind: str) -> bool:
    if kind == "int":
        if isinstance(value, float):
            return value.is_integer() and abs(value) <= 2**53
        return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return {
        "number": is_number(value),
        "bool": isinstance(value, bool),
        "string": isinstance(value, str) and has_utf8(value),
        "numbers": is_list(value),
        "segments": isinstance(value, list) and (is_list(value) or all(map(is_list, value))),
        "raw": True,
    }[kind]


def seen(value: Any, kind: str) -> tuple[int, Any]:
    """State and value that a column has for a value that json read."""
    if value is None:
        return NULL_VALUE, None
    if not fits(value, kind):
        return OTHER, value
    if kind == "segments" and value and is_list(value):
        return FLAT, [[as_float(x) for x in value]]
    if kind == "segments":
        return PRESENT, [[as_float(x) for x in part] for part in value]
    convert = {"int": int, "number": as_float, "numbers": lambda v: [as_float(x) for x in v]}
    return PRESENT, convert.get(kind, lambda v: v)(value)


def expected(record: dict[str, Any], fields: dict[str, str]) -> dict[str, tuple[int, Any]]:
    return {n: seen(record[n], kind) if n in record else (MISSING, None) for n, kind in fields.items()}


def value_at(column: JSONColumn, row: int, others: dict[int, bytes]) -> tuple[int, Any]:
    """State and value of a row."""
    state = int(column.states[row])
    if state in (MISSING, NULL_VALUE):
        return state, None
    if state == OTHER:
        return state, json.loads(others[row])
    if column.offsets is None:
        return state, column.values[row].item()
    start, stop = column.offsets[row : row + 2].tolist()
    if column.parts is not None:
        bounds = column.parts[start : stop + 1].tolist()
        return state, [column.values[a:b].tolist() for a, b in pairwise(bounds)]
    part = column.values[start:stop]
    if column.kind == "numbers":
        return state, part.tolist()
    text = part.tobytes().decode()
    return state, text if column.kind == "string" else json.loads(text)


def rows_of(column: JSONColumn) -> list[tuple[int, Any]]:
    bounds, data = column.other_offsets.tolist(), column.other.tobytes()
    others = {row: data[bounds[k] : bounds[k + 1]] for k, row in enumerate(column.other_rows.tolist())}
    return [value_at(column, row, others) for row in range(len(column.states))]


def read(
    text: Any, schemas: Any = SCHEMAS, **options: Any
) -> tuple[dict[str, list[Any]], list[Any], JSONReader]:
    """Records by array, as `expected`; the other members of each record; and the reader, which is done."""
    found: dict[str, list[Any]] = {}
    extra: list[Any] = []
    reader = JSONReader(text, schemas, extra=True, **options)
    for table in reader:
        known = found.setdefault(table.name, [])
        assert table.first == len(known)
        columns = {name: rows_of(column) for name, column in table.columns.items()}
        assert all(len(rows) == table.rows for rows in columns.values())
        known += [{name: rows[i] for name, rows in columns.items()} for i in range(table.rows)]
        assert table.extra is not None
        extra += [{} if state == MISSING else value for state, value in rows_of(table.extra)]
    return found, extra, reader
