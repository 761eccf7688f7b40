"""Several datasets, read as one."""

from __future__ import annotations

import copy
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ddfast.batch import Batch
from ddfast.dataset.base import Dataset, Verify, check_verify
from ddfast.dataset.location import is_remote, list_shards, name_of
from ddfast.dataset.open import open_files
from ddfast.dataset.options import CACHE_BYTES, PREFETCH_BYTES, READ_TIMEOUT, RemoteOptions
from ddfast.errors import SampleIndexError, SampleKeyError
from ddfast.loading.on_error import OnError, Place
from ddfast.loading.options import IO
from ddfast.reader.abc import Reader
from ddfast.reader.ahead import Packed
from ddfast.reader.batches import Batches
from ddfast.reader.dataset import DatasetReader
from ddfast.reader.digests import verify_data, verify_index
from ddfast.reader.form import Form
from ddfast.reader.lenient import given, in_range
from ddfast.reader.msgpack import MsgpackReader

if TYPE_CHECKING:
    from ddfast.storage.transfer.retry import RetryPolicy as Attempts

__all__ = ["ShardedReader"]

Member = str | os.PathLike[str] | Reader

# Readers of a mixed list that stay open, of those that it does not own.
KEPT = 8


class ShardedReader(Reader):
    """Reads several datasets as one, in the order of the shards.

    Shards that are all msgpack files are read as a single file is: thousands of them without opening them all, and
    batches ahead. A list may also have readers of any other kind; then batches are put together from single samples.

    `find_index` and ``in`` build a table of all keys when they are first used, which takes 16.5 bytes a key. Where
    several samples have a key, the first one is found.

    Parameters:
        shards: a pattern such as ``"train/*.msgpack"``, whose matches are sorted by name, or paths and readers. Of
            a `MsgpackReader` its path, `allow_pickle` and `verify` count. Paths and patterns may be URLs.
        allow_pickle, prefetch_bytes, queue_depth, columns, timeout, io, verify: as those of `MsgpackReader`; for
            shards that are msgpack files.
        storage_options, cache, cache_bytes, attempts: likewise.
        on_error: as that of `MsgpackReader`, for all shards; that of readers in the list does not count.

    Raises:
        DatasetNotFoundError: a data file, or the index of one, is missing, or nothing matches the pattern.
        IndexFileError: the index of a shard is damaged.
        ValueError: a shard is neither a path nor a reader.
    """

    def __init__(
        self,
        shards: str | os.PathLike[str] | Iterable[Member],
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
        super().__init__(on_error=on_error)
        remote: dict[str, Any] = {
            "storage_options": storage_options,
            "cache": cache,
            "cache_bytes": cache_bytes,
            "attempts": attempts,
        }
        members = list_shards(shards, RemoteOptions(**remote))  # type: ignore[arg-type]
        for member in members:
            if not isinstance(member, str | os.PathLike | Reader):
                raise ValueError(f"a shard is the path of a msgpack file or a Reader, not {member!r}")
        default = (allow_pickle, check_verify(verify))
        found = {_options(member, default) for member in members} or {default}
        options = found.pop() if len(found) == 1 else None
        if options is None:
            self._inner: FileShards | ReaderShards = ReaderShards(members, *default, remote)
            self._inner._policy = self._policy
            return
        paths = [
            member._name if isinstance(member, MsgpackReader) else os.fspath(member) for member in members
        ]
        self._inner = FileShards(
            paths,
            name_of(shards if isinstance(shards, str | os.PathLike) else paths, paths),
            allow_pickle=options[0],
            prefetch_bytes=prefetch_bytes,
            queue_depth=queue_depth,
            columns=columns,
            timeout=timeout,
            io=io,
            verify=options[1],
            on_error=on_error,
            **remote,
        )
        self._inner._policy = self._policy

    def __copy__(self) -> ShardedReader:
        reader = super().__copy__()
        reader._inner = copy.copy(self._inner)
        return reader

    def __len__(self) -> int:
        return len(self._inner)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._inner.name!r}: {len(self._inner):,} samples>"

    def close(self) -> None:
        """Close all shards, readers of the list included. They are opened again when they are used."""
        self._inner.close()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inner.__exit__(exc_type, exc, traceback)

    def _place(self, index: int) -> Place:
        return self._inner._place(index)

    # -- keys

    def keys(self) -> Sequence[str]:
        """Keys of all samples, in order; each is read when it is used."""
        return self._inner.keys()

    def find_key(self, index: int) -> str:
        return self._inner.find_key(index)

    def find_index(self, key: str) -> int:
        return self._inner.find_index(key)

    def __contains__(self, key: object) -> bool:
        return key in self._inner

    # -- samples

    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        return self._inner.get(index, yield_key, raw, copy)

    def slice(
        self,
        start: int,
        stop: int | None = None,
        yield_key: bool = False,
        raw: bool = False,
        copy: bool = True,
    ) -> Iterator[Any]:
        return self._inner.slice(start, stop, yield_key, raw, copy)

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        return self._inner._iter_impl(start, stop, yield_key, raw, copy, chunk_size)

    # -- batches

    @property
    def _packed(self) -> Packed | None:  # type: ignore[override]
        return self._inner._packed if type(self).get is ShardedReader.get else None

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        return self._inner.get_many(indices, columns=columns, raw=raw)

    def batches(self, batch_size: int, **arguments: Any) -> Batches:
        """One pass over all shards in batches, in one order; arguments as those of `Reader.batches`."""
        return self._inner.batches(batch_size, **arguments)

    # -- integrity

    def verify_data(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """`MsgpackReader.verify_data` of all shards that are msgpack files."""
        return all(verify_data(path, read_size, progress) for path in self._inner.paths())

    def verify_index(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """`MsgpackReader.verify_index` of all shards that are msgpack files."""
        return all(verify_index(path, read_size, progress) for path in self._inner.paths())


Options = tuple[bool, Verify | None]


def _options(member: Member, default: Options) -> Options | None:
    """Whether arrays of objects are unpickled, and how samples are verified; None if it is read in its own way."""
    if not isinstance(member, Reader):
        return default
    if type(member) is not MsgpackReader or is_remote(member._name):  # whose credentials may be others
        return None
    return member._allow_pickle, member._verify


class FileShards(DatasetReader):
    """Shards that are all msgpack files."""

    def __init__(self, paths: Sequence[str], name: str, **options: Any) -> None:
        self._paths = paths
        super().__init__(name, **options)

    def _open_dataset(self) -> Dataset:
        return open_files(
            self._paths, self._name, allow_pickle=self._allow_pickle, verify=self._verify, remote=self._remote
        )

    @property
    def name(self) -> str:
        """What messages call them."""
        return self._name

    def paths(self) -> list[str]:
        """The data files."""
        return list(self._paths)


class ReaderShards(Reader):
    """Shards of which some are readers of other kinds."""

    def __init__(
        self, members: Sequence[Member], allow_pickle: bool, verify: Verify | None, remote: dict[str, Any]
    ) -> None:
        super().__init__()
        self._remote = remote
        self._verify = verify
        self._allow_pickle = allow_pickle
        self._open = OrderedDict[int, MsgpackReader]()
        self._members = members
        self._stops = list(accumulate(len(self._reader(i)) for i in range(len(members))))

    @property
    def name(self) -> str:
        """What messages call them."""
        return f"{len(self._members):,} shards"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {len(self):,} samples>"

    def paths(self) -> list[str]:
        """The data files of those that are msgpack files."""
        return [
            member._name if isinstance(member, MsgpackReader) else os.fspath(member)
            for member in self._members
            if not isinstance(member, Reader) or isinstance(member, MsgpackReader)
        ]

    def _reader(self, number: int) -> Reader:
        """The reader of one shard; those that were opened here are closed when others are needed."""
        member = self._members[number]
        if isinstance(member, Reader):
            return member
        reader = self._open.pop(number, None) or MsgpackReader(
            member, allow_pickle=self._allow_pickle, verify=self._verify, **self._remote
        )
        self._open[number] = reader
        if len(self._open) > KEPT:
            self._open.popitem(last=False)[1].close()
        return reader

    def __copy__(self) -> ReaderShards:
        reader = super().__copy__()
        reader._open = OrderedDict()
        reader._members = [copy.copy(m) if isinstance(m, Reader) else m for m in self._members]
        return reader

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def close(self) -> None:
        """Leave all readers."""
        self.__exit__(None, None, None)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self._open:
            self._open.popitem()[1].close()
        for member in self._members:
            if isinstance(member, Reader):
                member.__exit__(exc_type, exc, traceback)

    def __len__(self) -> int:
        return self._stops[-1] if self._stops else 0

    # -- which shard

    def _first(self, number: int) -> int:
        return self._stops[number - 1] if number else 0

    def _locate(self, index: int) -> tuple[Reader, int]:
        """The reader that has a sample, and the sample's index there."""
        n = len(self)
        position = range(n)[index] if -n <= index < n else -1
        if position < 0:
            raise SampleIndexError(f"index {index} out of range: {self.name} have {n:,} samples")
        number = bisect_right(self._stops, position)
        return self._reader(number), position - self._first(number)

    def _place(self, index: int) -> Place:
        reader, local = self._locate(index)
        return reader._place(local)

    # -- keys

    def keys(self) -> Sequence[str]:
        """Keys of all samples."""
        return [key for i in range(len(self._members)) for key in _keys_of(self._reader(i))]

    def find_key(self, index: int) -> str:
        reader, local = self._locate(index)
        return reader.find_key(local)

    def find_index(self, key: str) -> int:
        for i in range(len(self._members)):
            reader = self._reader(i)
            if key in reader:
                return self._first(i) + reader.find_index(key)
        raise SampleKeyError(f"none of {self.name} has a sample with key {key!r}")

    def __contains__(self, key: object) -> bool:
        return any(key in self._reader(i) for i in range(len(self._members)))

    # -- samples

    def get(self, index: int, yield_key: bool = False, raw: bool = False, copy: bool = True) -> Any:
        reader, local = self._locate(index)
        return reader.get(local, yield_key, raw, copy)

    def slice(
        self,
        start: int,
        stop: int | None = None,
        yield_key: bool = False,
        raw: bool = False,
        copy: bool = True,
    ) -> Iterator[Any]:
        start, stop, _ = slice(start, stop).indices(len(self))
        form = Form(yield_key, raw, copy)
        return given(in_range(self, start, stop, form, max(1, stop - start)))

    def _iter_impl(
        self, start: int, stop: int, yield_key: bool, raw: bool, copy: bool, chunk_size: int
    ) -> Iterator[Any]:
        while start < stop:
            number = bisect_right(self._stops, start)
            first, last = self._first(number), min(stop, self._stops[number])
            yield from self._reader(number)._iter_impl(
                start - first, last - first, yield_key, raw, copy, chunk_size
            )
            start = last


def _keys_of(reader: Reader) -> Iterable[str]:
    if isinstance(reader, DatasetReader | ShardedReader):
        return reader.keys()
    return map(reader.find_key, range(len(reader)))
