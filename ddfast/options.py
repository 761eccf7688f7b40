"""What readers are told about how to read, and what they do unless they are told."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from ddfast.storage.attempts import Policy as Attempts

__all__ = [
    "CACHE_BYTES",
    "IO",
    "PREFETCH_BYTES",
    "READ_TIMEOUT",
    "Far",
    "check_columns",
    "check_reading",
]

IO = Literal["auto", "threads", "uring", "direct"]

PREFETCH_BYTES = 256 << 20
READ_TIMEOUT = 120.0
CACHE_BYTES = 64 << 30


class Far(NamedTuple):
    """How datasets under URLs are read; those in files have no use for it.

    Attributes:
        storage_options: what `ddfast.storage.open_storage` takes besides the URL.
        cache: folder for blocks of what was read; None for no such cache.
        cache_bytes: what it may take of the disk.
        attempts: how patient reads are; None to make `timeout` the time of a read, all attempts included.
        prefetch_bytes, queue_depth, timeout: as those of readers; no `queue_depth` leaves it to what is measured.
    """

    storage_options: Mapping[str, Any] | None = None
    cache: str | os.PathLike[str] | None = None
    cache_bytes: int = CACHE_BYTES
    attempts: Attempts | None = None
    prefetch_bytes: int = PREFETCH_BYTES
    queue_depth: int | None = None
    timeout: float = READ_TIMEOUT


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
