"""What readers are told about how to read, and what they do unless they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = ["IO", "PREFETCH_BYTES", "QUEUE_DEPTH", "READ_TIMEOUT", "check_columns"]

IO = Literal["auto", "threads", "uring"]

PREFETCH_BYTES = 256 << 20
QUEUE_DEPTH = 32
READ_TIMEOUT = 120.0


def check_columns(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Column names as a tuple.

    Raises:
        TypeError: they are no sequence of strings.
    """
    if columns is None:
        return None
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise TypeError(f"columns is {columns!r}, not a sequence of names such as ['label']")
    return tuple(columns)
