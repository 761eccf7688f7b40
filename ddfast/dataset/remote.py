"""Datasets whose data files are not here: their tables are in memory, and somebody else reads for the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.columns import Table
from ddfast._native.decode import Decoder
from ddfast._native.keys import KeyTable
from ddfast._native.offsets import OffsetTable
from ddfast._native.shards import Shards
from ddfast._native.status import E_CANCELLED, E_CHECKSUM, E_FIELDS, E_INDEX, E_SPAN
from ddfast._native.xxh3 import ChecksumTable
from ddfast._util.once import Once
from ddfast.dataset.base import Dataset, Failure, Server, Wire
from ddfast.dataset.local import RESTORE, too_many_fields
from ddfast.dataset.options import RemoteOptions
from ddfast.dataset.shard_keys import ShardKeys, ShardKeyTable
from ddfast.errors import (
    ClosedError,
    CorruptSampleError,
    CorruptSpanError,
    IndexFileError,
    KernelError,
    PickleRefusedError,
    ReadError,
)
from ddfast.loading.fetcher import Fetcher

__all__ = ["Link", "RemoteDataset", "RemoteShard"]


@dataclass(frozen=True)
class RemoteShard:
    """What is known of a data file that is not here.

    Parameters:
        name: what messages call it, such as its URL without secrets.
        size: bytes.
        offsets: where its samples are; checked.
        sums: their checksums, if they are to be verified.
    """

    name: str
    size: int
    offsets: OffsetTable
    sums: ChecksumTable | None = None


class Link(Protocol):
    """What reads the data files of a remote dataset.

    Attributes:
        max_gap: bytes between two samples that are worth reading to save a request.
        max_read: bytes of one request at most.
        patience: seconds that a read takes at most, be it in vain.
        wire: what is counted of it, which may be looked at when it is closed; None for nothing.
    """

    @property
    def max_gap(self) -> int: ...
    @property
    def max_read(self) -> int: ...
    @property
    def patience(self) -> float: ...
    @property
    def wire(self) -> Wire | None: ...

    def serve(self, engine: Any) -> Server:
        """Read what an engine wants of them, `RemotePiece.shard` being the number of the file.

        Called once for each engine; in a forked child for engines of its own.
        """

    def failure(self, reason: str) -> Exception | None:
        """The error behind the reason that a piece failed with, as it is to be raised; None where it is not known."""

    def close(self) -> None:
        """Close what can be opened again."""


class RemoteDataset(Dataset):
    """One or many data files that are not here, as one dataset. Safe to use from several threads.

    Parameters:
        name: what messages call it.
        shards: its data files.
        link: what reads them.
        keys: gives the keys of all samples; called when they are first used.
        key_table: gives the table from key to index likewise.
        allow_pickle: unpickle arrays of dtype object, which runs whatever code the files ask for.
        remote: what the reader was given.
    """

    path: str
    is_remote = True

    def __init__(
        self,
        name: str,
        shards: Sequence[RemoteShard],
        link: Link,
        *,
        keys: Callable[[], Sequence[str]],
        key_table: Callable[[], KeyTable | ShardKeyTable],
        allow_pickle: bool = False,
        remote: RemoteOptions = RemoteOptions(),  # noqa: B008  # a tuple
    ) -> None:
        self.path = name
        self.decoder = Decoder(allow_pickle=allow_pickle)
        self.shards = Shards([(None, s.offsets, len(s.offsets), s.size, 0, s.sums) for s in shards])
        self.samples: RemoteSamples = RemoteSamples(self, remote)  # type: ignore[assignment]
        self.key_table_once: Once[KeyTable | ShardKeyTable] = Once()
        self._list = list(shards)
        self._firsts = np.cumsum([0, *(len(shard.offsets) for shard in shards)], dtype=np.int64)
        self._link = link
        self._keys_once: Once[Sequence[str]] = Once()
        self._make_keys = keys
        self._make_key_table = key_table

    def __len__(self) -> int:
        return int(self._firsts[-1])

    @property
    def data_size(self) -> int:
        """Bytes of all data files."""
        return sum(shard.size for shard in self._list)

    def close(self) -> None:
        """End the reads of single samples, and close what the link has open."""
        self.samples.close()
        self._link.close()

    # -- reading

    @property
    def max_gap(self) -> int:  # type: ignore[override]
        """See `Dataset`."""
        return self._link.max_gap

    @property
    def max_read(self) -> int:  # type: ignore[override]
        """See `Dataset`."""
        return self._link.max_read

    @property
    def patience(self) -> float:  # type: ignore[override]
        """See `Dataset`."""
        return self._link.patience

    @property
    def wire(self) -> Wire | None:  # type: ignore[override]
        """See `Dataset`."""
        return self._link.wire

    def serve(self, engine: Any) -> Server:
        """See `Dataset`."""
        return self._link.serve(engine)

    # -- keys

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]
        """Keys of all samples, loaded when they are first used."""
        return self._keys_once.get(self._make_keys)

    @property
    def key_table(self) -> KeyTable | ShardKeyTable:
        """From key to index, loaded when it is first used."""
        return self.key_table_once.get(self._make_key_table)

    def search(self, key: str) -> int:
        """Index of the sample with this key, or -1."""
        return self.key_table.find(key)

    def key_at(self, index: int) -> str:
        """Key of one sample; negative indices count from the end."""
        return self.keys[index]

    def keys_of(self, indices: ArrayLike) -> list[str]:
        """Keys of these samples."""
        keys = self.keys
        if isinstance(keys, ShardKeys):
            return keys.take(indices)
        return [keys[i] for i in np.asarray(indices).tolist()]

    # -- errors

    def explain(self, error: Failure, index: int | None = None) -> Exception:
        """What to raise for a failure at sample `index`; None where no sample is to blame."""
        name = self._named(index)
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"{name}: {error}")
        if isinstance(error, OSError):
            return self._explain_read(error, name)
        if error.code == E_CANCELLED:
            return ClosedError(f"the reader of {self.path} was closed while it was read from")
        if error.code == E_INDEX:
            return self.out_of_range(index)
        if error.code == E_SPAN:
            return (IndexFileError if index is None else CorruptSpanError)(
                f"{name}: its offsets are no range of bytes in the data file ({error.reason}). "
                "Restore the offsets file from a copy, or write the dataset again."
            )
        if error.code == E_FIELDS:
            return too_many_fields(name, error)
        if error.code == E_CHECKSUM:
            return CorruptSampleError(
                f"{name} is damaged: its bytes do not have the checksum that was stored. {RESTORE}"
            )
        return CorruptSampleError(f"{name} is damaged at byte {error.pos:,}: {error.reason}. {RESTORE}")

    def explain_read(self, error: KernelError | OSError, indices: NDArray[np.int64] | None) -> Exception:
        """What to raise for a read that failed."""
        if isinstance(error, OSError):
            return self._explain_read(error, self._list[getattr(error, "item", 0)].name)
        return self.explain(error)

    def _explain_read(self, error: OSError, name: str) -> Exception:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        return self._link.failure(reason) or ReadError(
            error.errno, f"{reason}: cannot read {name}", self.path
        )

    def _named(self, index: int | None) -> str:
        if index is None or not 0 <= index < len(self):
            return self.path
        number = int(np.searchsorted(self._firsts, index, "right")) - 1
        of_all = f", {index} of all shards" if len(self._list) > 1 else ""
        return f"{self._list[number].name}: sample {index - int(self._firsts[number])}{of_all}"


class RemoteSamples:
    """Single samples and short runs of them, through an engine; what `ddfast._native.samples.Samples` is for files.

    Each call is one fetch and waits for it. Errors are those of a fetch.
    """

    def __init__(self, dataset: RemoteDataset, remote: RemoteOptions) -> None:
        self._dataset = dataset
        self._remote = remote
        self._fetcher: Fetcher | None = None

    def get(self, index: int) -> Any:
        """One sample, decoded."""
        return self.decode_range(index, index + 1)[0]

    def raw(self, index: int) -> bytes:
        """One sample, packed."""
        return bytes(self._fetch(index, index + 1).packed(0))

    def is_ready(self, index: int) -> bool:
        """Whether a sample can be read without waiting: no."""
        return False

    def fit(self, start: int, stop: int, size: int) -> int:
        """Where to end a run of samples that begins at `start`: requests are large, whatever the caller would read."""
        mean = max(1, self._dataset.data_size // max(1, len(self._dataset)))
        return min(stop, start + max(1, max(size, self._dataset.max_read) // mean))

    def decode_range(self, start: int, stop: int) -> list[Any]:
        """Samples ``[start, stop)``, decoded; fewer before a damaged one."""
        table = self._fetch(start, stop)
        return table.decode_run(0, len(table), table.nbytes, self._dataset.decoder)

    def raw_range(self, start: int, stop: int, copy: bool = True) -> list[Any]:
        """Samples ``[start, stop)``, packed: bytes, or with ``copy=False`` views of one buffer."""
        table = self._fetch(start, stop)
        packed = table.packed_bytes if copy else table.packed
        return [packed(i) for i in range(len(table))]

    def close(self) -> None:
        """End reads and threads."""
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None and fetcher.is_ours:
            fetcher.close()

    def _fetch(self, start: int, stop: int) -> Table:
        fetcher = self._fetcher
        if fetcher is None or not fetcher.is_ours:
            remote = self._remote
            fetcher = self._fetcher = Fetcher(
                self._dataset, remote.prefetch_bytes, remote.queue_depth, remote.timeout
            )
        fetch = fetcher.fetch(np.arange(start, stop), None, False)
        if not fetch.run(0):
            fetcher.wait(fetch)
        return fetch.table(0)
