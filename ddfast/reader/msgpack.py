"""The blocking reader of datasets in the datadings format."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ddfast._util.signatures import OptionsSignature
from ddfast.dataset.base import BaseDataset
from ddfast.dataset.location import absolute_file
from ddfast.dataset.open import open_file
from ddfast.loading.options import ReadArguments, ReadOptions, read_options
from ddfast.reader.dataset import DatasetReader

if TYPE_CHECKING:
    from typing_extensions import Unpack


class MsgpackReader(DatasetReader):
    """Reads a dataset: a ``.msgpack`` file and the index files next to it.

    Files are opened once, and closed at the end of the ``with`` block; a closed reader opens them again when it is
    used. A reader can be pickled and survives a fork: it opens its files again in the other process.

    Parameters:
        path: the data file; a path or a URL, see `ddfast.storage.open_storage`.
        buffering: ignored; exists for compatibility with datadings.
        allow_pickle: unpickle arrays of dtype object. Unpickling can run arbitrary code from the file.
        prefetch_bytes: memory for batches that are read ahead, and for those that the program keeps (except the latest
            one). One group of batches is read in any case.
        queue_depth: maximum number of reads in flight; None: 32, or 64 for small reads from a mounted file system;
            for a URL, up to 256 depending on the measured connection.
        columns: names of the columns of batches; None for all.
        timeout: seconds without any completed read after which batches raise `StorageTimeoutError`; for a URL, seconds
            after which a read fails, retries included.
        io: what waits for storage when batches are read: ``"threads"``; ``"uring"``, one thread that uses Linux's
            io_uring (UnsupportedIOError if the system does not allow it); ``"direct"``, threads that bypass the page
            cache (O_DIRECT), for datasets that do not fit into memory: less processor time, but slower for files that
            are cached; ``"auto"`` is ``"threads"``.
        verify: ``"sample"`` compares every sample that is read with its checksum in ``<path>.xxh3``; a mismatch is a
            CorruptSampleError. None does not verify samples.
        on_error: how iteration, slices and batches handle damaged samples, see `ddfast.policy`: ``"raise"`` their
            error, ``"skip"`` them, or a function that decides.
        storage_options: for a URL, further arguments of `ddfast.storage.open_storage`, such as credentials,
            ``endpoint`` or ``client_options``.
        cache: for a URL, a folder in which data that was read is cached for later passes and other processes.
        cache_bytes: disk space for the cache; the least recently used data is removed first.
        retry: for a URL, a `ddfast.storage.RetryPolicy` with the number and timing of retries and of second requests,
            instead of `timeout`.

    Raises:
        TypeError, ValueError: an argument has a wrong type or is out of range.
        DatasetNotFoundError: there is no data file, or no index.
        IndexFileError: the index is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and there are no checksums.
        StorageError: the remote storage fails; methods that read raise it too.
    """

    __signature__ = OptionsSignature(ReadOptions)

    def __init__(
        self, path: str | os.PathLike[str], buffering: int = 0, **arguments: Unpack[ReadArguments]
    ) -> None:
        super().__init__(absolute_file(path), read_options(**arguments))

    def _open_dataset(self) -> BaseDataset:
        options = self._options
        return open_file(
            self._name, allow_pickle=options.allow_pickle, verify=options.verify, remote=options.remote
        )

    # -- integrity

    def verify_data(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Compare the hash of the data file with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show a progress bar.

        Returns:
            Whether they match.
        """
        from ddfast.reader.digests import verify_data

        return verify_data(self._name, read_size, progress)

    def verify_index(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Compare the hashes of all index files with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show progress bars.

        Returns:
            Whether all index files that exist, and all that the md5 file lists, match.
        """
        from ddfast.reader.digests import verify_index

        return verify_index(self._name, read_size, progress)
