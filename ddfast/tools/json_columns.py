"""Large JSON files as columns, without an object for each value."""

from ddfast._native.json_reader import (
    FLAT,
    MISSING,
    NULL_VALUE,
    OTHER,
    PRESENT,
    JSONColumn,
    JSONReader,
    JSONTable,
)

__all__ = [
    "FLAT",
    "MISSING",
    "NULL_VALUE",
    "OTHER",
    "PRESENT",
    "JSONColumn",
    "JSONReader",
    "JSONTable",
]
