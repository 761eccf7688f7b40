"""A dataset in one local file: its files, which are opened on demand, and its errors."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING

from ddfast._native.content import Content, explained
from ddfast._native.decode import Decoder
from ddfast._native.file import File
from ddfast._native.keys import KeyTable
from ddfast._native.offsets import OffsetTable
from ddfast._native.samples import Samples
from ddfast._native.shards import Shards
from ddfast._native.status import E_CANCELLED, E_CHANGED, E_CHECKSUM, E_EOF, E_FIELDS, E_INDEX, E_SPAN
from ddfast._native.xxh3 import ChecksumTable
from ddfast._util.brief import brief
from ddfast._util.caller import level_of_caller
from ddfast._util.once import Once, lazy
from ddfast._util.paths import absolute
from ddfast.dataset.base import BaseDataset, ReadFailure, Verify, check_verify
from ddfast.dataset.messages import RESTORE, folder_given
from ddfast.errors import (
    ChecksumsNotFoundError,
    ClosedError,
    CorruptSampleError,
    CorruptSpanError,
    DatasetChangedError,
    DatasetNotFoundError,
    DdfastError,
    IndexFileError,
    KernelError,
    PickleRefusedError,
    ReadError,
    TooManyFieldsError,
)
from ddfast.format.files import (
    SUFFIX_CHECKSUMS,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
    path_append,
)
from ddfast.format.keys import Keys
from ddfast.format.tables import no_checksums, open_checksums, open_key_table, open_offsets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LocalDataset"]

# A dataset that is replaced while it is being opened is opened again, for up to REPLACED_SECONDS. If only its offsets
# are missing, it is damaged or being replaced; a writer that replaces it adds them within MISSING_SECONDS.
REPLACED_SECONDS = 10.0
MISSING_SECONDS = 0.3
PAUSE_SECONDS = 0.005

# Reasons that kernels give if an index file cannot be read.
INDEX_FAILURES = {
    "the offsets file cannot be read": SUFFIX_OFFSETS,
    "the checksums file cannot be read": SUFFIX_CHECKSUMS,
}


class LocalDataset(BaseDataset):
    """The files of a dataset, shared by all its readers. Safe to use from several threads.

    Opening reads both ends of the offsets file and the start of the keys file; everything else is read when it is
    used.

    Parameters:
        path: the data file.
        allow_pickle: unpickle arrays of dtype object, which can run arbitrary code from the file.
        first: of a shard, the index of its first sample in the whole dataset.
        verify: ``"sample"`` to compare every sample that is read with its checksum.

    Raises:
        DatasetNotFoundError: there is no data file, or no index.
        IndexFileError: the index is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and have no checksums.
        DatasetChangedError: it was replaced repeatedly while it was being opened.
        UnfinishedDatasetError: its writer ended while it renamed the files, and this process is not allowed to rename
            the others.
    """

    path: Path

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        allow_pickle: bool = False,
        first: int | None = None,
        verify: Verify | None = None,
    ) -> None:
        self.path = Path(absolute(path))
        self._verify = check_verify(verify)
        self.key_table_once: Once[KeyTable] = Once()
        self._first = first
        self.decoder = Decoder(allow_pickle=allow_pickle)
        try:
            self._open_whole()
        except (DatasetNotFoundError, IndexFileError) as error:
            from ddfast.format.publication import finish_for_reader, hint_of_draft

            if not finish_for_reader(self.path):
                if isinstance(error, DatasetNotFoundError) and (hint := hint_of_draft(self.path)):
                    raise DatasetNotFoundError(f"{error}. {hint}") from None
                raise
            self._open_whole()
        if "keys" not in self.__dict__ and first is None:
            message = f"{self._suffixed(SUFFIX_KEYS)} not found, samples have no keys"
            warnings.warn(message, stacklevel=level_of_caller())

    def _open_whole(self) -> None:
        """Open files that all belong to one dataset, even if it is replaced at the same time."""
        begin = last_change = time.monotonic()
        while True:
            failure = self._try_to_open()
            is_current = self._is_current()
            if is_current and failure is None:
                return
            for name in ("keys", "_legacy", "samples"):  # they may belong to two datasets
                self.__dict__.pop(name, None)
            now = time.monotonic()
            if not is_current:
                last_change = now
            elif failure and (not self._lacks_offsets(failure) or now > last_change + MISSING_SECONDS):
                raise failure
            if now > begin + REPLACED_SECONDS:
                raise DatasetChangedError(
                    f"{self.path} was replaced each time it was opened; open it again later"
                )
            time.sleep(PAUSE_SECONDS)

    def _try_to_open(self) -> DdfastError | None:
        try:
            self.file = File(self.path)
        except FileNotFoundError:
            from ddfast.dataset.location import pattern_hint

            raise DatasetNotFoundError(f"{self.path} not found{pattern_hint(str(self.path))}") from None
        except IsADirectoryError:
            raise DatasetNotFoundError(folder_given(str(self.path))) from None
        try:
            self._open()
        except (IndexFileError, DatasetNotFoundError, ChecksumsNotFoundError) as error:
            return error
        return None

    def _is_current(self) -> bool:
        """Whether the open data file is the one that has this path.

        A path alone does not tell: if the dataset is replaced twice, the second file can have the number of the first.
        The number of an open file is not used again.
        """
        try:
            return os.path.samestat(os.fstat(self.file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def _lacks_offsets(self, error: DdfastError) -> bool:
        """Whether only the offsets or the checksums are missing, which may be temporary."""
        missing = isinstance(error, DatasetNotFoundError | ChecksumsNotFoundError)
        return missing and self._suffixed(SUFFIX_KEYS).exists()

    def _open(self) -> None:
        """Open the index files of the open data file, the offsets last.

        A writer that replaces a dataset removes its offsets first and adds the new ones last. If there are offsets, all
        files that were opened before belong to them, or the data file has changed since.
        """
        count = self._count_keys()
        self._hashes = self._content(SUFFIX_KEY_HASHES)
        sums = None if self._verify is None else self._content(SUFFIX_CHECKSUMS)
        self.offsets = self._open_offsets()
        if count is not None and count != len(self.offsets):
            raise IndexFileError(
                f"{self._suffixed(SUFFIX_KEYS)} has {count:,} keys, but {self._suffixed(SUFFIX_OFFSETS)} has "
                f"{len(self.offsets):,} samples: they belong to different datasets. {RESTORE}"
            )
        self.sums = None if self._verify is None else self._checksums(sums)
        self.shards = Shards.one(self.file, self.offsets, self.sums)
        self.samples = Samples(self.shards, self.decoder)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def data_size(self) -> int:
        """Bytes of the data file."""
        return self.file.size

    # -- index files

    def _suffixed(self, suffix: str) -> Path:
        return path_append(self.path, suffix)

    def _open_offsets(self) -> OffsetTable:
        try:
            return open_offsets(self._suffixed(SUFFIX_OFFSETS), self.file.size)
        except FileNotFoundError:
            pass
        try:
            offsets = self._legacy[1]
        except FileNotFoundError:
            wanted = f"{self._suffixed(SUFFIX_OFFSETS)} or {self._suffixed(SUFFIX_LEGACY_INDEX)}"
            raise DatasetNotFoundError(f"{self.path} has no index: {wanted} not found") from None
        return OffsetTable(pack(f">{len(offsets)}Q", *offsets), self.file.size)

    @lazy
    def _legacy(self) -> tuple[list[str], list[int]]:
        from ddfast.format.index import legacy_load_index

        return legacy_load_index(self._suffixed(SUFFIX_LEGACY_INDEX))

    def _count_keys(self) -> int | None:
        try:
            return len(self.keys)
        except FileNotFoundError:
            return None

    @lazy
    def keys(self) -> Sequence[str]:
        """Keys of all samples, each read from the keys file when it is used.

        Raises:
            DatasetNotFoundError: the dataset has no keys file and no legacy index.
        """
        path = self._suffixed(SUFFIX_KEYS)
        try:
            return Keys(path)
        except FileNotFoundError as error:
            if self._suffixed(SUFFIX_LEGACY_INDEX).exists():
                return self._legacy[0]
            raise DatasetNotFoundError(
                f"{path} not found, so samples have no keys. Create it with `ddfast index`"
            ) from error

    def _checksums(self, content: Content | None) -> ChecksumTable:
        path = self._suffixed(SUFFIX_CHECKSUMS)
        if content is None:
            raise no_checksums(path)
        return open_checksums(path, len(self.offsets), content)

    def _content(self, suffix: str) -> Content | None:
        # Opened now although it is used later, because the file may be replaced until then.
        try:
            return Content(self._suffixed(suffix))
        except FileNotFoundError:
            return None

    @property
    def key_table(self) -> KeyTable:
        """Maps keys to indices; made when it is first used.

        Raises:
            IndexFileError: the key hashes file is damaged; or it is missing, and two keys are equal.
        """
        return self.key_table_once.get(self._make_key_table)

    def _make_key_table(self) -> KeyTable:
        if self._hashes is None:
            try:
                from ddfast.format.index import build_key_table

                return build_key_table(self.keys)
            except RuntimeError as error:
                raise IndexFileError(
                    f"{self._suffixed(SUFFIX_KEYS)} is damaged: {error}. {RESTORE}"
                ) from error
        return open_key_table(self._suffixed(SUFFIX_KEY_HASHES), len(self), self._hashes)

    def search(self, key: str) -> int:
        """Index of the sample with this key, or -1."""
        self.check_unchanged()
        return self.key_table.find(key)

    def check_unchanged(self) -> None:
        """Check that the data file was not truncated: its index would be wrong.

        Raises:
            DatasetChangedError: its size has changed.
        """
        try:
            self.file.check_unchanged()
        except (KernelError, OSError) as error:
            raise self._changed(error) from error

    def key_at(self, index: int) -> str:
        """Key of one sample; negative indices count from the end.

        Raises:
            IndexError: the index is out of range.
        """
        self.check_unchanged()
        return self.keys[index]

    def keys_of(self, indices: ArrayLike) -> list[str]:
        """Keys of these samples."""
        self.check_unchanged()
        keys = self.keys
        if isinstance(keys, Keys):
            return keys.take(indices)
        from ddfast.dataset.positions import check_positions

        return [keys[i] for i in check_positions(indices, len(keys), str(self.path)).tolist()]

    # -- errors

    def explain(self, error: ReadFailure, index: int | None = None) -> Exception:
        """The error to raise for a failure at sample `index`; None if no single sample failed."""
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"{self._named(index)}: {error}")
        if isinstance(error, KernelError) and error.code == E_CANCELLED:
            return ClosedError(f"the reader of {self.path} was closed during a read")
        try:
            self.check_unchanged()  # a truncated file causes many errors; report this reason
        except ReadError as changed:
            return changed
        if (suffix := INDEX_FAILURES.get(getattr(error, "reason", ""))) is not None:
            return explained(self._suffixed(suffix), error)
        if isinstance(error, OSError):
            return ReadError(
                error.errno, f"{error.strerror}: cannot read {self._named(index)}", str(self.path)
            )
        if error.code == E_CHANGED:
            return self._changed(error)
        if error.code == E_EOF:
            return ReadError(
                f"{self._named(index)}: the data file ends at byte {error.pos:,} of {self.data_size:,}. {RESTORE}"
            )
        if error.code == E_INDEX:
            return self.out_of_range(index)
        if error.code == E_SPAN:
            return (IndexFileError if index is None else CorruptSpanError)(
                f"{self._suffixed(SUFFIX_OFFSETS)} is damaged: the offsets of sample {index} are not a range of bytes "
                f"in the data file ({error.reason}). Restore the offsets file from a copy, or write the dataset again."
            )
        return self._corrupt(error, index)

    def explain_read(self, error: KernelError | OSError, indices: NDArray[np.int64] | None) -> Exception:
        """The error to raise for a failed read; `indices` are the requested samples, if they are known."""
        return self.explain(
            error, None if indices is None else self._sample_at(getattr(error, "pos", -1), indices)
        )

    def _sample_at(self, position: int, indices: NDArray[np.int64]) -> int | None:
        """The sample among `indices` that contains a byte of the file."""
        try:
            spans = self.offsets.spans(indices).tolist()
        except KernelError:  # an offset is damaged too, which is reported when its batch is due
            return None
        for index, (start, stop) in zip(indices.tolist(), spans, strict=True):
            if start <= position < stop:
                return int(index)
        return None

    def _changed(self, error: KernelError | OSError) -> Exception:
        if isinstance(error, OSError):
            return ReadError(
                error.errno, f"{error.strerror}: cannot determine the size of {self.path}", str(self.path)
            )
        if error.pos == self.data_size:
            return DatasetChangedError(
                f"{self.path} was replaced by a file of the same size after it was opened. Open it again."
            )
        return DatasetChangedError(
            f"{self.path} had {self.data_size:,} bytes when it was opened and has {error.pos:,} now: it was truncated "
            "or rewritten in place. Replace datasets by renaming a new file over the old one, and open it again."
        )

    def _corrupt(self, error: KernelError, index: int | None) -> Exception:
        if error.code == E_FIELDS:
            return TooManyFieldsError(f"{self.path}: {error.reason}")
        if error.code == E_CHECKSUM and index is not None:
            start, stop = self.offsets.span(index)
            return CorruptSampleError(
                f"{self._named(index)} is damaged: its {stop - start:,} bytes (file position {start:,}) do not have "
                f"the checksum in {self.path.name}{SUFFIX_CHECKSUMS}. {RESTORE}"
            )
        where = f"at byte {error.pos:,}"
        if index is not None:
            start, stop = self.offsets.span(index)
            where = f"at byte {error.pos:,} of {stop - start:,} (file position {start + error.pos:,})"
        return CorruptSampleError(f"{self._named(index)} is damaged {where}: {error.reason}. {RESTORE}")

    def _named(self, index: int | None) -> str:
        if index is None:
            return str(self.path)
        of_all = "" if self._first is None else f", {self._first + index} of all shards"
        try:
            return f"{self.path}: sample {index}{of_all} ({brief(self.keys[index])})"
        except (DdfastError, OSError):
            return f"{self.path}: sample {index}{of_all}"
