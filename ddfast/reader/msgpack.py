"""The blocking reader of datasets in the datadings format."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ddfast.dataset.base import Dataset, Verify
from ddfast.dataset.open import open_file
from ddfast.dataset.options import CACHE_BYTES, PREFETCH_BYTES, READ_TIMEOUT
from ddfast.loading.on_error import OnError
from ddfast.loading.options import IO
from ddfast.reader.dataset import DatasetReader

if TYPE_CHECKING:
    from ddfast.storage.transfer.retry import RetryPolicy as Attempts


class MsgpackReader(DatasetReader):
    """Reads a dataset: a ``.msgpack`` file with the index files beside it.

    Files are opened once and closed by leaving the ``with`` block; a closed reader opens them again when it is used. A
    reader pickles and survives a fork: it opens its files again where it wakes up.

    Parameters:
        path: the data file; a path or a URL, see `ddfast.storage.open_storage`.
        buffering: accepted for datadings' sake; reads are as large as they should be without it.
        allow_pickle: unpickle arrays of dtype object. Unpickling runs whatever code the file asks for.
        prefetch_bytes: memory that `batches` may use to read ahead.
        queue_depth: reads in flight at most; None: 32, and 64 where a mounted file system is far and reads are small;
            for a URL as many as the link is worth, 256 at most.
        columns: names of the columns that batches have; None for all.
        timeout: seconds without any read completing after which `batches` and `get_many` give storage up; for a URL,
            seconds after which a read is given up, all attempts included.
        io: what waits for storage in `batches` and `get_many`: ``"threads"``, or ``"uring"``, one thread with Linux's
            io_uring (UnsupportedIOError where the system does not let this program use it); ``"direct"`` is
            threads that read past the page cache (O_DIRECT): for datasets that memory cannot hold anyway, at a fraction
            of the processor time, but slower where the cache has them; ``"auto"`` is threads.
        verify: ``"sample"`` holds every sample that is read, in whatever way, against its checksum in
            ``<path>.xxh3``; one whose bytes are not those that were written is a CorruptSampleError.
        on_error: what iteration, slices and batches do with damaged samples, see `ddfast.policy`: ``"raise"`` their
            error, ``"skip"`` them, or a function to ask.
        storage_options: for a URL, what `ddfast.storage.open_storage` takes besides: credentials, ``endpoint``,
            ``client_options`` and the like.
        cache: for a URL, a folder to keep what was read in; later passes, and other processes, read it there.
        cache_bytes: what that folder may take of the disk; what was not used for longest leaves it.
        attempts: for a URL, a `ddfast.storage.Policy` of attempts, pauses and second requests, instead of `timeout`.

    Raises:
        ValueError: `on_error` is none of these.
        DatasetNotFoundError: there is no data file, or no index.
        IndexFileError: the index is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and there are no checksums.
        StorageError: what is under a URL cannot be had; so with all that reads.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        buffering: int = 0,
        *,
        allow_pickle: bool = False,
        prefetch_bytes: int = PREFETCH_BYTES,
        queue_depth: int | None = None,
        columns: Sequence[str] | None = None,
        timeout: float = READ_TIMEOUT,
        io: IO = "auto",
        verify: Verify | None = None,
        on_error: OnError = "raise",
        storage_options: Mapping[str, Any] | None = None,
        cache: str | os.PathLike[str] | None = None,
        cache_bytes: int = CACHE_BYTES,
        attempts: Attempts | None = None,
    ) -> None:
        super().__init__(
            os.fspath(path),
            allow_pickle=allow_pickle,
            prefetch_bytes=prefetch_bytes,
            queue_depth=queue_depth,
            columns=columns,
            timeout=timeout,
            io=io,
            verify=verify,
            on_error=on_error,
            storage_options=storage_options,
            cache=cache,
            cache_bytes=cache_bytes,
            attempts=attempts,
        )

    def _open_dataset(self) -> Dataset:
        return open_file(
            self._name, allow_pickle=self._allow_pickle, verify=self._verify, remote=self._remote
        )

    # -- integrity

    def verify_data(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Hash the data file and compare with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show a progress bar.

        Returns:
            Whether the hash is the one in the md5 file.
        """
        from ddfast.reader.digests import verify_data

        return verify_data(self._name, read_size, progress)

    def verify_index(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Hash all index files and compare with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show progress bars.

        Returns:
            Whether all index files there are, and all that the md5 file lists, have the hash in it.
        """
        from ddfast.reader.digests import verify_index

        return verify_index(self._name, read_size, progress)
