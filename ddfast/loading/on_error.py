"""What readers do with samples that they cannot give.

Every reader takes ``on_error``:

==============  ==============================================================================================
``"raise"``     the error is raised, as it is without `on_error`
``"skip"``      the sample is left out
a function      is called with a `BadSample`, in the order of the samples. It returns nothing to leave the sample
                out, and raises what is to be raised, such as ``bad.error``
==============  ==============================================================================================

What can be left out
--------------------

An error that is about one sample alone: its bytes are damaged or do not match their checksum (`CorruptSampleError`,
with `CorruptArchiveError` for a file in an archive), its place in the index is (`CorruptSpanError`), it is a pickle
that is not allowed (`PickleRefusedError`), the storage device fails where it lies (`ReadError` with EIO and its like),
or the file that it is made of is gone (`SampleFileNotFoundError`, `MemberNotFoundError`).

Everything else is raised whatever `on_error` says, since more than a sample is at stake: a reader that is closed,
storage that does not answer, a dataset that was changed, an index that is damaged as a whole, a program that is wrong.

What is left
------------

- Streams (``batches``, ``samples``, iteration, ``slice``, ``next``, and those of augments) leave samples out. ``get``
  and ``get_many`` name samples and always raise.
- Nothing moves: other samples keep their order and positions count the samples left out too. A batch is shorter, and
  is delivered though it be empty, so that ranks have equally many and ``start=`` goes on just where a pass was left.
- What is delivered depends on the data alone, not on how it is fetched ahead.
- A column's kind is decided over the samples that are there.
- A batch leaves out what its check finds. A sample that is whole but cannot be decoded, such as a pickle that is
  refused, raises when it is taken out of the batch; iteration leaves it out. Packed samples (``raw=True``) are not
  checked.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from ddfast.errors import (
    CorruptSampleError,
    DatasetChangedError,
    DatasetReplacedError,
    MemberNotFoundError,
    PickleRefusedError,
    ReadError,
    SampleFileNotFoundError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageTimeoutError,
    TextFileError,
)
from ddfast.loading.stats import Tally

__all__ = ["BadSample", "OnError", "Policy", "Quarantine", "Source", "is_of_a_sample", "is_of_storage"]

OF_A_SAMPLE = (CorruptSampleError, PickleRefusedError, SampleFileNotFoundError, MemberNotFoundError)

# What a system says of a device that fails in one place. Others, such as too many open files, would fail anywhere.
FAILING_DEVICE = {errno.EIO, errno.ENODATA, errno.EBADMSG, errno.EUCLEAN, errno.EREMOTEIO, errno.EILSEQ}

Place = tuple[str, Any]


class BadSample:
    """A sample that cannot be given.

    Parameters:
        path: what it was to be read from: the data file, or what the reader calls its shards; the archive, or the file
            of the sample. Empty where a reader has none.
        index: its index in the reader.
        key: its key; None where the dataset has no keys.
        error: what is wrong with it.
    """

    # No dataclass: importing those takes longer than opening a dataset.
    __slots__ = ("error", "index", "key", "path")

    def __init__(self, path: str, index: int, key: Any, error: Exception) -> None:
        self.path = path
        self.index = index
        self.key = key
        self.error = error

    def _parts(self) -> tuple[Any, ...]:
        return self.path, self.index, self.key, self.error

    def __eq__(self, other: object) -> bool:
        return self._parts() == other._parts() if isinstance(other, BadSample) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return f"BadSample(path={self.path!r}, index={self.index!r}, key={self.key!r}, error={self.error!r})"


OnError = Literal["raise", "skip"] | Callable[[BadSample], None]


class Source(Protocol):
    """What knows where its samples are."""

    def place(self, index: int) -> Place:
        """Path and key of a sample, as `BadSample` has them."""


def is_of_a_sample(error: BaseException) -> bool:
    """Whether an error is about one sample alone, so that it may be left out."""
    if isinstance(error, DatasetChangedError | StorageTimeoutError):
        return False
    return isinstance(error, OF_A_SAMPLE) or (isinstance(error, ReadError) and error.errno in FAILING_DEVICE)


def is_of_storage(error: BaseException) -> bool:
    """Whether an error is likely to hit whatever else is asked of the same storage, and to take as long again.

    So it is where all attempts have failed, and where the object is refused, gone or replaced.
    """
    lasting = StorageDeniedError | StorageNotFoundError | DatasetReplacedError
    return isinstance(error, StorageError) and (error.passing or isinstance(error, lasting))


class Policy:
    """What one reader does with samples that it cannot give, and what came of it so far.

    Safe to use from several threads.

    Parameters:
        on_error: what the reader was given.

    Raises:
        ValueError: that is neither ``"raise"`` nor ``"skip"`` nor a function.
    """

    def __init__(self, on_error: OnError = "raise") -> None:
        if on_error not in ("raise", "skip") and not callable(on_error):
            raise ValueError(f'on_error is {on_error!r}, not "raise", "skip" or a function')
        self.on_error = on_error
        self.tally = Tally()
        self._found: dict[int, BadSample] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"on_error": self.on_error}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["on_error"])  # type: ignore[misc]  # counts are those of a process

    @property
    def is_strict(self) -> bool:
        """Whether every error is raised."""
        return isinstance(self.on_error, str) and self.on_error == "raise"

    @property
    def quarantine(self) -> tuple[BadSample, ...]:
        """What was left out, each sample once, in the order in which it was first due."""
        return tuple(self._found.values())

    def can_skip(self, error: BaseException) -> bool:
        """Whether `pass_over` may leave out the sample of this error."""
        return not self.is_strict and is_of_a_sample(error)

    def pass_over(self, error: Exception | None, source: Source, index: int) -> None:
        """Leave a sample out, or raise its error. No error: it is left out because it is listed.

        Raises:
            TypeError: the function that was given as `on_error` returns something.
        """
        if error is None:
            self.tally.mine.listed += 1
            return
        if not self.can_skip(error):
            raise error
        path, key = source.place(index)
        bad = BadSample(path, index, key, _bare(error))
        if callable(self.on_error):
            answer: object = self.on_error(bad)
            if answer is not None:
                raise TypeError(
                    f"on_error returned {answer!r} for sample {index}: it returns None to leave a sample out, or raises"
                )
        self._found.setdefault(index, bad)
        self.tally.mine.skipped += 1

    def listed(self, source: Source, count: int) -> list[int]:
        """Which of `count` samples are to be left out unread; sorted."""
        if not isinstance(self.on_error, Quarantine):
            return []
        return self.on_error.listed(source, count)


def _bare(error: Exception) -> Exception:
    """An error without its tracebacks, which would keep what was read in memory."""
    at: BaseException | None = error
    while at is not None:
        at.__traceback__ = None
        at = at.__cause__ or at.__context__
    return error


class Quarantine:
    """Leaves damaged samples out and writes each to a list, which the next run leaves out without reading them.

    To be given as ``on_error``. The list is text with one JSON object a line: path, index, key and reason. A sample is
    looked up by all of the first three, so that one list may serve several datasets, and one that was written anew in
    another order is read. Remove a line, or the file, to have samples read again.

    Several processes may write to one list. What is added to it counts from the next run on.

    Parameters:
        path: the list; made when the first damaged sample is found.

    Raises:
        TextFileError: a line of it is not what it should be.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._entries: dict[tuple[str, int], Any] = _load(self.path)
        self._written = set(self._entries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __call__(self, bad: BadSample) -> None:
        """Add a sample to the list, unless it is there."""
        where = _absolute(bad.path), bad.index
        if where in self._written:
            return
        self._written.add(where)
        import json

        entry = {"path": where[0], "index": bad.index, "key": _plain(bad.key), "reason": str(bad.error)}
        with self.path.open("ab", buffering=0) as file:  # one write to the end: lines of processes do not mix
            file.write(json.dumps(entry).encode() + b"\n")

    def listed(self, source: Source, count: int) -> list[int]:
        """Which of the `count` samples of a source the list had when it was loaded; sorted."""
        return sorted({index for (path, index), key in self._entries.items() if index < count
                       and self._is_same(source.place(index), path, key)})  # fmt: skip

    @staticmethod
    def _is_same(place: Place, path: str, key: Any) -> bool:
        return _absolute(place[0]) == path and _plain(place[1]) == key


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else path  # noqa: PTH100  # symlinks stay


def _plain(key: Any) -> Any:
    return key if key is None or isinstance(key, str | int) else str(key)


def _load(path: Path) -> dict[tuple[str, int], Any]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    return dict(_entry(path, number, line) for number, line in enumerate(lines, 1) if line.strip())


def _entry(path: Path, number: int, line: bytes) -> tuple[tuple[str, int], Any]:
    import json

    try:
        entry: Mapping[str, Any] = json.loads(line)
        where, index, key = entry["path"], entry["index"], entry["key"]
        if isinstance(where, str) and type(index) is int and index >= 0:
            return (where, index), key
        wrong = "path is no text, or index no number of a sample"
    except (ValueError, TypeError, KeyError) as error:
        wrong = f"{type(error).__name__}: {error}"
    raise TextFileError(
        f"{path}, line {number} is no JSON object with path, index and key of a sample ({wrong}). Remove the line."
    )
