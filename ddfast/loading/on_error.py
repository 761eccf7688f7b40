"""How readers handle samples that cannot be delivered.

Every reader accepts ``on_error``:

==============  ==============================================================================================
``"raise"``     raise the error (the default)
``"skip"``      leave the sample out
a function      is called with a `BadSample`, in the order of the samples. It returns None to leave the sample
                out, or raises an exception, such as ``bad.error``. It may not start a pass over the same data
                with itself as ``on_error``
==============  ==============================================================================================

Which errors can be skipped
---------------------------

Errors that concern a single sample: its bytes are damaged or do not match their checksum (`CorruptSampleError`, and
`CorruptArchiveError` for a file in an archive), its index entry is damaged (`CorruptSpanError`), it contains a pickle
that is not allowed (`PickleRefusedError`), the storage device fails at its position (`ReadError` with EIO or a similar
error number), or its file is missing (`SampleFileNotFoundError`, `MemberNotFoundError`).

All other errors are raised regardless of `on_error`, because they concern more than one sample: a closed reader,
storage that does not respond, a dataset that has changed, an index that is damaged as a whole, an error in the program.

What remains the same
---------------------

- Streams (``batches``, ``samples``, iteration, ``slice``, ``next``, and those of augments) leave samples out. ``get``
  and ``get_many`` ask for specific samples and always raise.
- The other samples keep their order, and positions also count the samples that are left out. A batch becomes shorter;
  it is delivered even if it is empty, so that all ranks have equally many batches and ``start=`` resumes a pass exactly
  where it was interrupted. An empty batch has the columns that were asked for; their kinds are those of the first batch
  with samples, or object.
- What is delivered depends on the data alone, not on how it is read ahead.
- The kind of a column is determined by the samples that remain.
- A batch leaves out the samples that fail its check. A valid sample that cannot be decoded, such as a refused pickle,
  raises its error when it is taken from the batch; iteration leaves it out. Packed samples (``raw=True``) are not
  checked.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from ddfast._util.paths import absolute
from ddfast.errors import (
    CallbackError,
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
from ddfast.loading.stats import Counters

__all__ = [
    "BadSample",
    "ErrorPolicy",
    "OnError",
    "Quarantine",
    "SamplePlace",
    "SampleSource",
    "is_of_a_sample",
    "is_of_storage",
]

SAMPLE_ERRORS = (CorruptSampleError, PickleRefusedError, SampleFileNotFoundError, MemberNotFoundError)

# Error numbers of a device that fails at one position. Others, such as too many open files, affect every read.
DEVICE_ERRORS = {errno.EIO, errno.ENODATA, errno.EBADMSG, errno.EUCLEAN, errno.EREMOTEIO, errno.EILSEQ}

# What a sample is read from, '' if that has no path, and its key.
SamplePlace = tuple[str, Any]


class BadSample:
    """A sample that cannot be delivered.

    Parameters:
        path: what it is read from: the data file, or the reader's name of its shards; the archive, or the file of the
            sample. Empty if the reader has no path.
        index: its index in the reader.
        key: its key; None if the dataset has no keys.
        error: the reason.
    """

    # Not a dataclass: importing `dataclasses` takes longer than opening a dataset.
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


class SampleSource(Protocol):
    """A source of samples that knows where each sample is stored."""

    def place(self, index: int) -> SamplePlace:
        """Path and key of a sample, as in `BadSample`."""


def is_of_a_sample(error: BaseException) -> bool:
    """Whether an error concerns a single sample, which can then be left out."""
    if isinstance(error, DatasetChangedError | StorageTimeoutError):
        return False
    return isinstance(error, SAMPLE_ERRORS) or (isinstance(error, ReadError) and error.errno in DEVICE_ERRORS)


def is_of_storage(error: BaseException) -> bool:
    """Whether further reads from the same storage are likely to fail in the same way and take as long.

    This is so if all retries have failed, or if access to the object is denied, or the object is missing or replaced.
    """
    lasting = StorageDeniedError | StorageNotFoundError | DatasetReplacedError
    return isinstance(error, StorageError) and (error.passing or isinstance(error, lasting))


class _Calls(threading.local):
    """The calls of `on_error` that are running in this thread: function, and path or reader of the sample."""

    def __init__(self) -> None:
        self.running: list[tuple[Any, str | int]] = []


_calls = _Calls()


class ErrorPolicy:
    """How one reader handles samples that it cannot deliver, and the samples left out so far.

    Safe to use from several threads.

    Parameters:
        on_error: the argument of the reader.

    Raises:
        ValueError: `on_error` is neither ``"raise"`` nor ``"skip"`` nor a function.
    """

    def __init__(self, on_error: OnError = "raise") -> None:
        if on_error not in ("raise", "skip") and not callable(on_error):
            raise ValueError(f'on_error is {on_error!r}, not "raise", "skip" or a function')
        self.on_error = on_error
        self.counters = Counters()
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
        """The samples left out, each once, in the order in which they were first due."""
        return tuple(self._found.values())

    def can_skip(self, error: BaseException) -> bool:
        """Whether `pass_over` may leave out the sample of this error."""
        return not self.is_strict and is_of_a_sample(error)

    def pass_over(self, error: Exception | None, source: SampleSource, index: int) -> None:
        """Leave a sample out, or raise its error. Without an error it is left out because it is listed.

        Raises:
            TypeError: the function given as `on_error` does not return None.
            CallbackError: it raises StopIteration or StopAsyncIteration, which would end the pass as if it were
                complete; or it is called within itself, because it reads the same data.
        """
        if error is None:
            self.counters.local.listed += 1
            return
        if not self.can_skip(error):
            raise error
        path, key = source.place(index)
        bad = BadSample(path, index, key, _bare(error))
        if callable(self.on_error):
            self._ask(self.on_error, bad)
        self._found.setdefault(index, bad)
        self.counters.local.skipped += 1

    def _ask(self, on_error: Callable[[BadSample], object], bad: BadSample) -> None:
        call = on_error, bad.path or id(self)
        sample = f"sample {bad.index}" + (f" of {bad.path}" if bad.path else "")
        if call in _calls.running:
            raise CallbackError(
                f"on_error was called for {sample} while it was running: it reads the same data with the same "
                'function. Use `get`, which raises errors, or open another reader with on_error="skip" in it'
            )
        _calls.running.append(call)
        try:
            answer = on_error(bad)
        except (StopIteration, StopAsyncIteration) as error:
            raise CallbackError(
                f"on_error raised {type(error).__name__} for {sample}, which would end the pass as if it were "
                "complete. Raise another exception, such as `bad.error`"
            ) from error
        finally:
            _calls.running.pop()
        if answer is not None:
            raise TypeError(
                f"on_error returned {answer!r} for sample {bad.index}; it must return None to leave it out, or raise"
            )

    def listed(self, source: SampleSource, count: int) -> list[int]:
        """Which of `count` samples are left out without reading them; sorted."""
        if not isinstance(self.on_error, Quarantine):
            return []
        return self.on_error.listed(source, count)


def _bare(error: Exception) -> Exception:
    """An error without its tracebacks, which would keep the data that was read in memory."""
    at: BaseException | None = error
    while at is not None:
        at.__traceback__ = None
        at = at.__cause__ or at.__context__
    return error


class Quarantine:
    """Leaves damaged samples out and adds each to a list. The next run leaves listed samples out without reading them.

    Pass it as ``on_error``. The list is a text file with one JSON object per line: path, index, key and reason. A
    sample is listed if path, index and key match, so that several datasets can share one list, and the samples of a
    dataset that was rewritten in another order are read. The path is that of the data file, or its URL without secrets.
    Remove a line, or the file, to read samples again.

    Several processes can write to one list. Samples that are added take effect from the next run on.

    Parameters:
        path: the list; created when the first damaged sample is found.

    Raises:
        TextFileError: a line of the list is invalid.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(absolute(path))
        self._entries: dict[tuple[str, int], Any] = _load(self.path)
        self._written = set(self._entries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def __call__(self, bad: BadSample) -> None:
        """Add a sample to the list, unless it is listed already."""
        where = _absolute(bad.path), bad.index
        if where in self._written:
            return
        self._written.add(where)
        import json

        entry = {"path": where[0], "index": bad.index, "key": _plain(bad.key), "reason": str(bad.error)}
        with self.path.open(
            "ab", buffering=0
        ) as file:  # one write appends a whole line, also with several processes
            file.write(json.dumps(entry).encode() + b"\n")

    def listed(self, source: SampleSource, count: int) -> list[int]:
        """Which of the `count` samples of a source were in the list when it was loaded; sorted."""
        return sorted({index for (path, index), key in self._entries.items() if index < count
                       and self._is_same(source.place(index), path, key)})  # fmt: skip

    @staticmethod
    def _is_same(place: SamplePlace, path: str, key: Any) -> bool:
        return _absolute(place[0]) == path and _plain(place[1]) == key


def _absolute(path: str) -> str:
    """The absolute path; a URL, which messages show without secrets, and an empty path as they are."""
    if "://" in path:
        from ddfast.storage.urls import is_url

        if is_url(path):
            return path
    return os.path.abspath(path) if path else path  # noqa: PTH100  # keeps symlinks


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
        wrong = "path must be a string, and index an integer of at least 0"
    except (ValueError, TypeError, KeyError) as error:
        wrong = f"{type(error).__name__}: {error}"
    raise TextFileError(
        f"{path}, line {number} is not a JSON object with path, index and key of a sample ({wrong}). Remove the line."
    )
