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
from ddfast._native.json_writer import JSONRecords, format_numbers, json_column

__all__ = [
    "FLAT",
    "MISSING",
    "NULL_VALUE",
    "OTHER",
    "PRESENT",
    "JSONColumn",
    "JSONReader",
    "JSONRecords",
    "JSONTable",
    "format_numbers",
    "json_column",
]
