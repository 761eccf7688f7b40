"""The blocking reader of datasets in the datadings format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ddfast.dataset import Dataset
from ddfast.files import SUFFIX_MD5, SUFFIXES, path_append
from ddfast.prefetch import IO, PREFETCH_BYTES, QUEUE_DEPTH, READ_TIMEOUT
from ddfast.reader.dataset import DatasetReader
from ddfast.tools import hash_md5hex, load_md5file


class MsgpackReader(DatasetReader):
    """Reads a dataset: a ``.msgpack`` file with the index files beside it.

    Files are opened once and closed by leaving the ``with`` block; a closed reader opens them again when it is used. A
    reader pickles and survives a fork: it opens its files again where it wakes up.

    Parameters:
        path: the data file.
        buffering: accepted for datadings' sake; reads are as large as they should be without it.
        allow_pickle: unpickle arrays of dtype object. Unpickling runs whatever code the file asks for.
        prefetch_bytes: memory that `batches` may use to read ahead.
        queue_depth: reads in flight at most.
        columns: names of the columns that batches have; None for all.
        timeout: seconds without any read completing after which `batches` and `get_many` give storage up.
        io: what waits for storage in `batches` and `get_many`: ``"threads"``, or ``"uring"``, one thread with Linux's
            io_uring (UnsupportedIOError where the system does not let this program use it); ``"auto"`` is threads,
            which are as fast.

    Raises:
        DatasetNotFoundError: there is no data file, or no index.
        IndexFileError: the index is damaged or belongs to another data file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        buffering: int = 0,
        *,
        allow_pickle: bool = False,
        prefetch_bytes: int = PREFETCH_BYTES,
        queue_depth: int = QUEUE_DEPTH,
        columns: Sequence[str] | None = None,
        timeout: float = READ_TIMEOUT,
        io: IO = "auto",
    ) -> None:
        super().__init__(
            os.fspath(path),
            allow_pickle=allow_pickle,
            prefetch_bytes=prefetch_bytes,
            queue_depth=queue_depth,
            columns=columns,
            timeout=timeout,
            io=io,
        )

    def _open_dataset(self) -> Dataset:
        return Dataset(self._name, allow_pickle=self._allow_pickle)

    # -- integrity

    def verify_data(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Hash the data file and compare with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show a progress bar.

        Returns:
            Whether the hash is the one in the md5 file.
        """
        return verify_data(Path(self._name), read_size, progress)

    def verify_index(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """Hash all index files and compare with the md5 file.

        Parameters:
            read_size: bytes read at once.
            progress: show progress bars.

        Returns:
            Whether all index files there are, and all that the md5 file lists, have the hash in it.
        """
        return verify_index(Path(self._name), read_size, progress)


def verify_data(path: Path, read_size: int, progress: bool) -> bool:
    """Whether a data file has the hash in its md5 file."""
    return load_md5file(path_append(path, SUFFIX_MD5)).get(path.name) == hash_md5hex(
        path, read_size, progress
    )


def verify_index(path: Path, read_size: int, progress: bool) -> bool:
    """Whether all index files of a data file, and all that its md5 file lists, have the hash in it."""
    hashes = load_md5file(path_append(path, SUFFIX_MD5))
    names = [path_append(path, suffix) for suffix in SUFFIXES if suffix != SUFFIX_MD5]
    wanted = [name for name in names if name.name in hashes or name.exists()]
    return all(
        name.exists() and hashes.get(name.name) == hash_md5hex(name, read_size, progress) for name in wanted
    )
