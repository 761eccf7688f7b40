"""The blocking writers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ddfast._native.write_buffer import FLUSH_DUE, REFUSED
from ddfast.batch import Batch
from ddfast.writer.base import BaseWriter

if TYPE_CHECKING:
    from typing_extensions import Self


class Writer(BaseWriter):
    """Writes a dataset: data file, index files and MD5 digests.

    Use it in a ``with`` statement. The files get their names when the block ends; until then they have temporary
    names, and an existing dataset of that name is unchanged. If the block raises, what was written is removed. If
    the program dies or the disk is full, a writer with ``resume=True`` continues with the samples written so far, apart
    from the last ones, which are in memory (see `flush`). A writer that is never closed keeps all of its samples, and
    prints on standard error what to do with them.

    If the file exists and ``overwrite`` is false, the user is asked, and may

    - accept that it is overwritten;
    - decline: ``FileExistsError``, after which a program should continue as if the dataset had been written;
    - abort: ``KeyboardInterrupt``, after which it should stop.

    Parameters:
        outfile: path of the data file; missing folders are created. Or its URL: then the dataset is uploaded in
            parts while samples are written, and cannot be continued (``resume``, ``append``).
        buffering: for compatibility; samples are always written in chunks of 1 MiB.
        overwrite: replace an existing dataset without asking.
        resume: continue the unfinished dataset of a writer that died or was stopped, if there is one. ``written`` and
            ``key in writer`` show which samples exist. An exception in the block keeps what was written.
        append: start with the samples of the existing dataset, which stays until the new one is complete.
        checksums: also write a file ``.xxh3`` with a checksum of each sample.
        storage_options: for a URL: options of `ddfast.storage.open_upload`.
        kwargs: for ``ddfast.tools.make_printer``: ``total``, ``desc``, ``disable`` and so on.

    Raises:
        DatasetBusyError: another writer is writing the dataset; for a URL, ``close`` raises it.
        ValueError: a URL with ``resume`` or ``append``; or a name that is not UTF-8 or that of an index file.
        OSError: a name that is too long, or a link in place of a file of an unfinished dataset.
        StorageError: the storage refused; all methods that write may raise it.
    """

    def _start(self) -> None:
        super()._start()
        if not self._is_ready:
            try:
                self._begin()
                for keys, samples in self._destination.old_samples(self._samples):
                    self._write_many(keys, samples)
            except BaseException:
                self._abandon()
                raise

    def __enter__(self) -> Self:
        self._is_managed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._is_managed = False
            self.close()
        else:
            self._abandon()

    @abstractmethod
    def write(self, *args: Any) -> None:
        """Write one sample.

        Raises:
            InvalidSampleError: it cannot be written, or would be read back as something else. The writer continues
                without the sample.
            ClosedError: the writer is closed.
            OSError: the file system refused. Samples written so far are kept for ``resume=True``.
        """

    def flush(self) -> None:
        """Write all samples to the draft now: if the process is killed, none of them is lost.

        Without it, the last samples, up to about 16 MiB or one chunk more, are in memory. A power failure can still
        lose what the system has not written to the disk. Under a URL, it does nothing: nothing of an upload is
        kept.

        Raises:
            ClosedError: the writer is closed.
            OSError: the file system refused. Samples written so far are kept for ``resume=True``.
        """
        if self._end is not None:
            raise self._closed()
        self._unwritten.take()
        self._write_chunks()
        self._flush_destination()

    def close(self) -> None:
        """Write the remaining samples and the index, and give all files their names. Does nothing the second time.

        Raises:
            OSError: the file system refused. Samples written so far are kept for ``resume=True``; or all files are
                complete, and the message says that they cannot be renamed.
        """
        if self._end is None:
            self._unwritten.take()
            self._write_chunks()
            with self._stopping_on_error():
                for file in self._index_files():
                    file.write()
            self._publish()

    def discard(self) -> None:
        """Remove what was written. Does nothing after ``close``."""
        self._remove()

    def _write(self, key: Any, sample: Any) -> None:
        """Pack a sample and write it."""
        if self._end is not None:
            raise self._closed()
        if self._samples.add(key, sample):
            self._advance()

    def _write_data(self, key: Any, packed: Any) -> None:
        """Write a packed sample."""
        if self._end is not None:
            raise self._closed()
        if self._samples.add_packed(key, packed):
            self._advance()

    def _write_many(self, keys: Iterable[Any], samples: Batch | Sequence[Any]) -> None:
        """Write packed samples."""
        if self._end is not None:
            raise self._closed()
        if self._samples.add_many(keys, samples):
            self._advance()

    def _advance(self) -> None:
        if self._samples.is_full:
            self._unwritten.take()
            self._write_chunks()
        self._show_progress()


class FileWriter(Writer):
    """Writes samples: dicts with a unique string under ``"key"``."""

    def write(self, sample: dict[str, Any]) -> None:
        """Pack a sample and write it.

        Parameters:
            sample: may contain everything that msgpack supports, and numpy arrays and scalars.

        Raises:
            InvalidSampleError: the sample is not a dict, has no key (``MissingKeyError``) or the key of an earlier
                sample (``DuplicateKeyError``), or contains something that cannot be packed or would be read back as
                something else. The writer continues without the sample.
            ClosedError: the writer is closed.
            OSError: the file system refused. Samples written so far are kept for ``resume=True``.
        """
        outcome = self._samples.native.add_sample(sample)  # the fast way for nearly all samples
        if outcome == REFUSED:
            self._write(self._samples.key_of(sample), sample)
        elif outcome == FLUSH_DUE:
            self._advance()


class RawWriter(Writer):
    """Writes packed samples, such as those of a reader with ``raw=True``."""

    def write(self, key: str, data: Any) -> None:
        """Write a packed sample as it is.

        Parameters:
            key: unique string.
            data: bytes-like, exactly one msgpack message.

        Raises:
            InvalidSampleError: the key is not a string or not unique (``DuplicateKeyError``), or the data is not
                one message. The writer continues without the sample.
            ClosedError: the writer is closed.
            OSError: the file system refused. Samples written so far are kept for ``resume=True``.
        """
        self._write_data(key, data)

    def write_many(self, keys: Iterable[str], samples: Batch | Sequence[Any]) -> None:
        """Write packed samples as they are: all of them, or none if one is refused.

        This is the fastest way to copy samples from one dataset to another::

            for batch in reader.batches(256, raw=True):
                writer.write_many(batch.keys, batch)

        Parameters:
            keys: unique strings, as many as samples.
            samples: a batch, or bytes-like objects of exactly one msgpack message each.

        Raises:
            ValueError: the numbers of keys and samples differ.
            InvalidSampleError, ClosedError, OSError: as those of ``write``.
        """
        self._write_many(keys, samples)
