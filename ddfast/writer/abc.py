"""The blocking writer: what all kinds of samples have in common."""

from __future__ import annotations

import contextlib
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast.batch import Batch
from ddfast.errors import ClosedError
from ddfast.writer.book import Book
from ddfast.writer.digest import Digest
from ddfast.writer.draft import Draft, claim
from ddfast.writer.indexing import discard
from ddfast.writer.output import Output
from ddfast.writer.progress import Progress

if TYPE_CHECKING:
    from typing_extensions import Self


class Writer(ABC):
    """Writes a dataset: data file, index files and MD5 digests.

    Use it in a ``with`` statement. The files get their names when the block ends; until then they have
    temporary names beside them, and a dataset that exists under the name stays as it is. If the block raises,
    what was written is removed.

    Where the file exists and ``overwrite`` is false, the user is asked, and may

    - accept that it is overwritten;
    - decline: ``FileExistsError``, after which a program should go on as if the dataset had been written;
    - abort: ``KeyboardInterrupt``, after which it should stop.

    Parameters:
        outfile: path of the data file; missing folders are made.
        buffering: for compatibility; samples are always written in pieces of 1 MiB.
        overwrite: replace what exists without asking.
        kwargs: for ``ddfast.tools.make_printer``: ``total``, ``desc``, ``disable`` and so on.
    """

    def __init__(
        self, outfile: str | os.PathLike[str], buffering: int = 0, overwrite: bool = False, **kwargs: Any
    ) -> None:
        self._path = claim(outfile, overwrite)
        self._draft = Draft(self._path)
        self._book = Book(self._path, kwargs.get("total"))
        self._digest = Digest()
        self._progress = Progress(self._path.name, kwargs)
        self._end: str | None = None  # why there is nothing more to write
        self._cleanup = weakref.finalize(self, discard, self._draft.files, os.getpid())
        self._outfile = Output(self._draft.data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

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
            OSError: the file system refuses; the dataset is given up.
        """

    def close(self) -> None:
        """Write what is missing and give all files their names. Nothing happens the second time.

        Raises:
            OSError: the file system refuses. The dataset is given up, unless the message says that only the
                names are wrong.
        """
        if self._end is not None:
            return
        with self._giving_up():
            self._flush()
            self._outfile.close()
            self._draft.prepare(self._book, self._digest.hexdigest())
        self._cleanup.detach()
        self._finish("it is closed")
        self._draft.publish()
        self._progress.close(self.written, finished=True)

    def discard(self) -> None:
        """Give the dataset up: remove what was written. Nothing happens after ``close``."""
        if self._end is not None:
            return
        self._finish("its dataset was given up")
        self._progress.close(self.written, finished=False)

    def _write(self, key: Any, sample: Any) -> None:
        """Pack a sample and write it."""
        if self._end is not None:
            raise self._closed()
        if self._book.enter(key, sample) or monotonic() >= self._progress.due:
            self._advance()

    def _write_data(self, key: Any, packed: Any) -> None:
        """Write a sample that is packed already."""
        if self._end is not None:
            raise self._closed()
        if self._book.enter_packed(key, packed) or monotonic() >= self._progress.due:
            self._advance()

    def _write_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> None:
        """Write samples that are packed already."""
        if self._end is not None:
            raise self._closed()
        if self._book.enter_many(keys, samples) or monotonic() >= self._progress.due:
            self._advance()

    def _advance(self) -> None:
        if self._book.is_full:
            self._flush()
        if monotonic() >= self._progress.due:
            self._progress.show(self.written)

    def _flush(self) -> None:
        with self._giving_up():  # nobody knows how much of the piece is in the file
            pieces = self._book.take()
            self._digest.update(pieces)
            self._outfile.write(pieces)

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Give the dataset up where something goes wrong, and name it in errors of the system that name nothing."""
        try:
            yield
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(self._path)
            raise

    def _closed(self) -> ClosedError:
        return ClosedError(f"{self._path}: the writer takes no more samples, {self._end}. Open another one")

    def _finish(self, end: str) -> None:
        self._end = end
        self._outfile.discard()
        self._digest.close()
        self._cleanup()
