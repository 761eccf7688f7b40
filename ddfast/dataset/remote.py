"""Remote datasets: their index is in memory, and a server reads their data files for the engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.decode import Decoder
from ddfast._native.keys import KeyTable
from ddfast._native.offsets import OffsetTable
from ddfast._native.shards import Shards
from ddfast._native.status import E_CANCELLED, E_CHECKSUM, E_FIELDS, E_INDEX, E_SPAN
from ddfast._native.xxh3 import ChecksumTable
from ddfast._util.once import Once
from ddfast.dataset.base import BaseDataset, ReadFailure, Server, TransferSource
from ddfast.dataset.messages import RESTORE
from ddfast.dataset.shard_keys import ShardKeys, ShardKeyTable
from ddfast.errors import (
    ClosedError,
    CorruptSampleError,
    CorruptSpanError,
    IndexFileError,
    KernelError,
    PickleRefusedError,
    ReadError,
    TooManyFieldsError,
)

__all__ = ["RemoteDataset", "RemoteShard", "Session"]


@dataclass(frozen=True)
class RemoteShard:
    """A data file under a URL, as it was when it was opened.

    Parameters:
        name: its name in messages, such as its URL without secrets.
        size: size in bytes.
        offsets: positions of its samples; checked.
        sums: checksums of the samples, if they are verified.
    """

    name: str
    size: int
    offsets: OffsetTable
    sums: ChecksumTable | None = None


class Session(Protocol):
    """Reads the storage of a remote dataset; `ddfast.storage.transfer.session.TransferSession` does.

    Attributes:
        transfers: counts what it has read.
        max_gap: samples that are at most this many bytes apart share a request.
        max_read: size limit of a request in bytes.
        read_timeout: time limit of a read in seconds, successful or not.
    """

    @property
    def transfers(self) -> TransferSource: ...
    @property
    def max_gap(self) -> int: ...
    @property
    def max_read(self) -> int: ...
    @property
    def read_timeout(self) -> float: ...

    def serve(self, engine: Any) -> Server:
        """Start reading for an engine; `RemotePiece.shard` is the number of the data file.

        Called once for each engine. A forked child has other engines.
        """

    def failure(self, reason: str) -> Exception | None:
        """The error to raise for a piece that failed with this reason; None if it is not known."""

    def close(self) -> None:
        """Close the storage, which can be opened again."""


class OpenServer:
    """A server of a session, listed among the open ones until it is closed.

    Parameters:
        server: the server.
        servers: the open servers of the dataset.
    """

    def __init__(self, server: Server, servers: set[OpenServer]) -> None:
        self.pid = os.getpid()
        self._server = server
        self._servers = servers
        servers.add(self)

    def close(self, timeout: float) -> bool:
        """See `ddfast.dataset.base.Server`."""
        self._servers.discard(self)
        return self._server.close(timeout)


class RemoteDataset(BaseDataset):
    """One or many data files under URLs, as one dataset. Safe to use from several threads.

    Parameters:
        name: its name in messages.
        shards: its data files.
        session: reads the data files.
        keys: returns the keys of all samples; called when they are first used.
        key_table: returns the table that maps keys to indices; called when it is first used.
        allow_pickle: unpickle arrays of dtype object, which can run arbitrary code.
    """

    path: str
    is_remote = True
    samples = None

    def __init__(
        self,
        name: str,
        shards: Sequence[RemoteShard],
        session: Session,
        *,
        keys: Callable[[], Sequence[str]],
        key_table: Callable[[], KeyTable | ShardKeyTable],
        allow_pickle: bool = False,
    ) -> None:
        self.path = name
        self.decoder = Decoder(allow_pickle=allow_pickle)
        self.shards = Shards([(None, s.offsets, len(s.offsets), s.size, 0, s.sums) for s in shards])
        self.key_table_once: Once[KeyTable | ShardKeyTable] = Once()
        self._list = list(shards)
        self._firsts = np.cumsum([0, *(len(shard.offsets) for shard in shards)], dtype=np.int64)
        self._session = session
        self._servers: set[OpenServer] = set()
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
        """Close the session, unless another reader of the dataset, such as a copy, still reads over it."""
        if not any(server.pid == os.getpid() for server in self._servers):
            self._session.close()

    # -- reading

    @property
    def max_gap(self) -> int:  # type: ignore[override]
        """See `BaseDataset`."""
        return self._session.max_gap

    @property
    def max_read(self) -> int:  # type: ignore[override]
        """See `BaseDataset`."""
        return self._session.max_read

    @property
    def read_timeout(self) -> float:  # type: ignore[override]
        """See `BaseDataset`."""
        return self._session.read_timeout

    @property
    def transfers(self) -> TransferSource:  # type: ignore[override]
        """See `BaseDataset`."""
        return self._session.transfers

    def serve(self, engine: Any) -> Server:
        """See `BaseDataset`."""
        return OpenServer(self._session.serve(engine), self._servers)

    # -- keys

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]
        """Keys of all samples, loaded when they are first used."""
        return self._keys_once.get(self._make_keys)

    @property
    def key_table(self) -> KeyTable | ShardKeyTable:
        """Maps keys to indices; loaded when it is first used."""
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

    def file_of(self, index: int) -> str:
        """See `BaseDataset`."""
        return self._list[int(np.searchsorted(self._firsts, index, "right")) - 1].name

    # -- errors

    def explain(self, error: ReadFailure, index: int | None = None) -> Exception:
        """The error to raise for a failure at sample `index`; None if no single sample failed."""
        name = self._named(index)
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"{name}: {error}")
        if isinstance(error, OSError):
            return self._explain_read(error, name)
        if error.code == E_CANCELLED:
            return ClosedError(f"the reader of {self.path} was closed during a read")
        if error.code == E_INDEX:
            return self.out_of_range(index)
        if error.code == E_SPAN:
            return (IndexFileError if index is None else CorruptSpanError)(
                f"{name}: its offsets are not a range of bytes in the data file ({error.reason}). "
                "Restore the offsets file from a copy, or write the dataset again."
            )
        if error.code == E_FIELDS:
            return TooManyFieldsError(f"{self.path}: {error.reason}")
        if error.code == E_CHECKSUM:
            return CorruptSampleError(
                f"{name} is damaged: its bytes do not match the stored checksum. {RESTORE}"
            )
        return CorruptSampleError(f"{name} is damaged at byte {error.pos:,}: {error.reason}. {RESTORE}")

    def explain_read(self, error: KernelError | OSError, indices: NDArray[np.int64] | None) -> Exception:
        """The error to raise for a failed read."""
        if isinstance(error, OSError):
            return self._explain_read(error, self._list[getattr(error, "item", 0)].name)
        return self.explain(error)

    def _explain_read(self, error: OSError, name: str) -> Exception:
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        return self._session.failure(reason) or ReadError(
            error.errno, f"{reason}: cannot read {name}", self.path
        )

    def _named(self, index: int | None) -> str:
        if index is None or not 0 <= index < len(self):
            return self.path
        number = int(np.searchsorted(self._firsts, index, "right")) - 1
        of_all = f", {index} of all shards" if len(self._list) > 1 else ""
        return f"{self._list[number].name}: sample {index - int(self._firsts[number])}{of_all}"
