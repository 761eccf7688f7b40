"""The blocking writer: what all kinds of samples have in common."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast.batch import Batch
from ddfast.writer.making import Making

if TYPE_CHECKING:
    from typing_extensions import Self


class Writer(ABC):
    """Writes a dataset: data file, index files and MD5 digests.

    Use it in a ``with`` statement. The files get their names when the block ends; until then they have
    temporary names beside them, and a dataset that exists under the name stays as it is. If the block raises,
    what was written is removed. If the program dies, or the disk is full, a writer with ``resume=True`` goes on with
    what was written.

    Where the file exists and ``overwrite`` is false, the user is asked, and may

    - accept that it is overwritten;
    - decline: ``FileExistsError``, after which a program should go on as if the dataset had been written;
    - abort: ``KeyboardInterrupt``, after which it should stop.

    Parameters:
        outfile: path of the data file; missing folders are made. Or its URL: then the dataset is sent in
            parts while samples come, and nobody can go on with it (``resume``, ``append``).
        buffering: for compatibility; samples are always written in pieces of 1 MiB.
        overwrite: replace what exists without asking.
        resume: go on with what a writer left that died or was stopped, if there is such a thing. ``written`` and
            ``key in writer`` tell what is there. An exception in the block keeps what was written.
        append: begin with the samples of the dataset that exists; it stays as it is until the new one is complete.
        checksums: also write a file ``.xxh3`` with a checksum of each sample.
        storage_options: for a URL, what `ddfast.storage.open_upload` takes besides.
        kwargs: for ``ddfast.tools.make_printer``: ``total``, ``desc``, ``disable`` and so on.

    Raises:
        DatasetBusyError: another writer is at work on the same dataset; of a URL, told by ``close``.
        ValueError: a URL, and ``resume`` or ``append``.
        StorageError: the storage refuses; raised by all methods that write.
    """

    def __init__(
        self,
        outfile: str | os.PathLike[str],
        buffering: int = 0,
        overwrite: bool = False,
        *,
        resume: bool = False,
        append: bool = False,
        checksums: bool = True,
        storage_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._making = Making(outfile, overwrite, resume, append, checksums, storage_options, kwargs)
        self._book = self._making.book
        if not self._making.is_ready:
            with self._keeping_or_not():
                self._begin()

    def _begin(self) -> None:
        """Go on with what is there already."""
        with self._making.giving_up():
            self._making.begin()
        for keys, samples in self._making.old_samples():
            self._write_many(keys, samples)

    @contextlib.contextmanager
    def _keeping_or_not(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._making.give_up()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._making.give_up()

    def __contains__(self, key: object) -> bool:
        """Whether a sample with this key is written."""
        return key in self._book

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._making.target.where!r}: {self.written:,} samples>"

    @property
    def written(self) -> int:
        """Number of samples so far."""
        return len(self._book)

    @abstractmethod
    def write(self, *args: Any) -> None:
        """Write one sample.

        Raises:
            InvalidSampleError: it cannot be written, or would not be read back as it is. The writer goes on
                as if it had not been given.
            ClosedError: the writer is closed.
            OSError: the file system refuses. What it has taken is kept for ``resume=True``.
        """

    def close(self) -> None:
        """Write what is missing and give all files their names. Nothing happens the second time.

        Raises:
            OSError: the file system refuses. What it has taken is kept for ``resume=True``; or all files are
                complete, and the message says that only the names are wrong.
        """
        if self._making.end is None:
            self._making.prepare()
            self._making.publish()

    def discard(self) -> None:
        """Give the dataset up: remove what was written. Nothing happens after ``close``."""
        self._making.discard()

    def _write(self, key: Any, sample: Any) -> None:
        """Pack a sample and write it."""
        if self._making.end is not None:
            raise self._making.closed()
        if self._book.enter(key, sample):
            self._advance()

    def _write_data(self, key: Any, packed: Any) -> None:
        """Write a sample that is packed already."""
        if self._making.end is not None:
            raise self._making.closed()
        if self._book.enter_packed(key, packed):
            self._advance()

    def _write_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> None:
        """Write samples that are packed already."""
        if self._making.end is not None:
            raise self._making.closed()
        if self._book.enter_many(keys, samples):
            self._advance()

    def _advance(self) -> None:
        if self._book.is_full:
            self._making.flush(self._book.take())
        self._making.show()
