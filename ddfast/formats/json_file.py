"""JSON files of formats that have a small file for each image."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ddfast.errors import MissingPackageError

if TYPE_CHECKING:
    from ddfast.annotated.report import Report

__all__ = ["parse_json", "write_json"]


def orjson() -> Any:
    """The module `orjson`.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        import orjson
    except ImportError as error:
        raise MissingPackageError("JSON files need orjson: pip install 'ddfast[annotated]'") from error
    return orjson


def parse_json(content: bytes, name: object, report: Report) -> Any:
    """The value of a JSON file; None if it is not JSON, which is reported with line and column.

    Parameters:
        content: of the file, UTF-8, with or without a byte order mark.
        name: of the file, for the message.
        report: for the problem.

    Raises:
        MissingPackageError: orjson is not installed.
    """
    try:
        return orjson().loads(content.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        report.problem(
            f"it is not valid JSON: {error.msg}", name, f"line {error.lineno}, column {error.colno}"
        )
        return None


def write_json(value: Any) -> bytes:
    """A value as indented JSON, UTF-8; numbers keep every digit.

    Raises:
        TypeError: it is not a value of JSON.
        MissingPackageError: orjson is not installed.
    """
    module = orjson()
    text: bytes = module.dumps(value, option=module.OPT_INDENT_2 | module.OPT_APPEND_NEWLINE)
    return text
