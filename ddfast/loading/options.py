"""The arguments of readers and of ``batches``, checked once and passed on as one object each.

These are named tuples, not dataclasses: importing `dataclasses` takes longer than opening a dataset.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict, cast, get_args

from ddfast._util.caller import level_of_caller
from ddfast._util.paths import absolute
from ddfast.dataset.base import Verify, check_verify
from ddfast.dataset.options import CACHE_BYTES, PREFETCH_BYTES, READ_TIMEOUT, RemoteOptions
from ddfast.loading.on_error import OnError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from typing_extensions import Unpack

    from ddfast.storage.transfer.retry import RetryPolicy

__all__ = ["IO", "BatchOptions", "ReadArguments", "ReadOptions", "Shuffle", "check_columns", "read_options"]

IO = Literal["auto", "threads", "uring", "direct"]
Shuffle = bool | Literal["block"]


class ReadArguments(TypedDict, total=False):
    """The keyword arguments of readers, documented in `ddfast.reader.MsgpackReader`. Defaults: `ReadOptions`."""

    allow_pickle: bool
    prefetch_bytes: int
    queue_depth: int | None
    columns: Sequence[str] | None
    timeout: float
    io: IO
    verify: Verify | None
    on_error: OnError
    storage_options: Mapping[str, Any] | None
    cache: str | os.PathLike[str] | None
    cache_bytes: int
    retry: RetryPolicy | None
    attempts: RetryPolicy | None  # deprecated name of `retry`


class ReadOptions(NamedTuple):
    """What a reader was given; `read_options` makes one of checked values."""

    allow_pickle: bool = False
    prefetch_bytes: int = PREFETCH_BYTES
    queue_depth: int | None = None
    columns: Sequence[str] | None = None
    timeout: float = READ_TIMEOUT
    io: IO = "auto"
    verify: Verify | None = None
    on_error: OnError = "raise"
    storage_options: Mapping[str, Any] | None = None
    cache: str | os.PathLike[str] | None = None
    cache_bytes: int = CACHE_BYTES
    retry: RetryPolicy | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # without secrets in `storage_options`

    @property
    def remote(self) -> RemoteOptions:
        """The options that apply to URLs."""
        return RemoteOptions(
            self.storage_options,
            self.cache,
            self.cache_bytes,
            self.retry,
            self.prefetch_bytes,
            self.queue_depth,
            self.timeout,
        )


def read_options(**arguments: Unpack[ReadArguments]) -> ReadOptions:
    """The options of a reader with these arguments.

    Raises:
        TypeError: there is no such argument, or one has a wrong type.
        ValueError: an argument is out of range.
    """
    given = cast("dict[str, Any]", arguments)
    if "attempts" in given:
        message = "the argument attempts= of readers is deprecated, use retry="
        warnings.warn(message, DeprecationWarning, stacklevel=level_of_caller())
        attempts = given.pop("attempts")
        given.setdefault("retry", attempts)
    unknown = [name for name in given if name not in ReadOptions._fields]
    if unknown:
        raise TypeError(
            f"readers have no argument {unknown[0]!r}; they have {', '.join(ReadOptions._fields)}"
        )
    options = ReadOptions(**given)
    _check_numbers(options)
    if options.io not in get_args(IO):
        raise ValueError(f"io is {options.io!r}, not 'auto', 'threads', 'uring' or 'direct'")
    check_verify(options.verify)
    cache = None if options.cache is None else absolute(options.cache)
    return options._replace(columns=check_columns(options.columns), cache=cache)


def _check_numbers(options: ReadOptions) -> None:
    for name in ("prefetch_bytes", "queue_depth", "timeout"):
        value: float | None = getattr(options, name)
        if name == "queue_depth" and value is None:
            continue
        if not isinstance(value, Real):
            raise TypeError(f"{name} is {value!r}, not a number")
        if not value > 0:
            raise ValueError(f"{name} is {value}, and must be above 0")


class BatchOptions(NamedTuple):
    """The arguments of one pass in batches, documented in `ddfast.loading.batched.BatchedReader.batches`."""

    batch_size: int
    indices: ArrayLike | None = None
    shuffle: Shuffle = False
    seed: int = 0
    epoch: int = 0
    start: int = 0
    rank: int = 0
    world_size: int = 1
    drop_last: bool = False
    columns: Sequence[str] | None = None
    raw: bool = False


def check_columns(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Column names as a tuple.

    Raises:
        TypeError: `columns` is not a sequence of strings.
    """
    if columns is None:
        return None
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise TypeError(f"columns is {columns!r}, not a sequence of names such as ['label']")
    return tuple(columns)
