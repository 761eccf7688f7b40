"""What readers are told about how to read, and what they do unless they are told."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Literal, get_args

__all__ = [
    "IO",
    "check_columns",
    "check_reading",
]

IO = Literal["auto", "threads", "uring", "direct"]


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


def check_reading(prefetch_bytes: int, queue_depth: int | None, timeout: float, io: str) -> None:
    """Refuse what no reader can be told when it is made, not when it reads its first batch.

    Raises:
        ValueError: a number is not above 0, or there is no such `io`.
        TypeError: it is no number.
    """
    numbers = {"prefetch_bytes": prefetch_bytes, "queue_depth": queue_depth, "timeout": timeout}
    for name, value in numbers.items():
        if name == "queue_depth" and value is None:
            continue
        if not isinstance(value, Real):
            raise TypeError(f"{name} is {value!r}, not a number")
        if not value > 0:
            raise ValueError(f"{name} is {value}, and must be above 0")
    if io not in get_args(IO):
        raise ValueError(f"io is {io!r}, not 'auto', 'threads', 'uring' or 'direct'")
