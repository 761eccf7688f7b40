"""The reader of several datasets as one."""

from __future__ import annotations

import copy
import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ddfast._util.brief import brief
from ddfast._util.signatures import OptionsSignature
from ddfast.batch import Batch
from ddfast.dataset.base import BaseDataset, Verify
from ddfast.dataset.location import absolute_file, is_remote, list_shards, name_of
from ddfast.dataset.lookup import bytes_hint
from ddfast.dataset.open import open_files
from ddfast.errors import SampleIndexError, SampleKeyError
from ddfast.loading.on_error import SamplePlace
from ddfast.loading.options import BatchOptions, ReadArguments, ReadOptions, read_options
from ddfast.loading.stats import ReaderStats, with_transfers
from ddfast.reader.abc import Reader
from ddfast.reader.batches import Batches
from ddfast.reader.contract import PackedSource, SampleForm
from ddfast.reader.dataset import DatasetReader
from ddfast.reader.digests import verify_data, verify_index
from ddfast.reader.error_handling import samples_in_range, without_omitted
from ddfast.reader.msgpack import MsgpackReader

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ShardedReader"]

Member = str | os.PathLike[str] | Reader

# Number of shards of a mixed list that stay open.
MAX_OPEN = 8


class ShardedReader(Reader):
    """Reads several datasets as one, in the order of the shards.

    Shards that are all msgpack files are read like a single file: batches are read ahead, and even of thousands of
    shards only those that are being read are open. A list can also contain readers of any other kind; batches are then
    made of single samples.

    `find_index` and ``in`` build a table of all keys when they are first used, which takes 16.5 bytes per key. If
    several samples have the same key, the first one is found.

    Parameters:
        shards: a pattern such as ``"train/*.msgpack"``, whose matches are sorted by name, or an iterable of paths and
            readers. Of a `MsgpackReader`, its path, `allow_pickle` and `verify` are used. Paths and patterns can be
            URLs.
        arguments: as those of `MsgpackReader`, for shards that are msgpack files; `on_error` applies to all shards,
            and that of readers in the list is ignored.

    Raises:
        DatasetNotFoundError: a data file or its index is missing, or no file matches the pattern.
        IndexFileError: the index of a shard is damaged.
        TypeError, ValueError: an argument has a wrong type or is out of range.
    """

    __signature__ = OptionsSignature(ReadOptions)

    def __init__(
        self, shards: str | os.PathLike[str] | Iterable[Member], **arguments: Unpack[ReadArguments]
    ) -> None:
        options = read_options(**arguments)
        super().__init__(on_error=options.on_error)
        members = list_shards(shards, options.remote)  # type: ignore[arg-type]
        for member in members:
            if not isinstance(member, str | os.PathLike | Reader):
                raise ValueError(
                    f"a shard must be the path of a msgpack file or a Reader, not of type {type(member).__name__}"
                )
        members = [item if isinstance(item, Reader) else absolute_file(item) for item in members]
        self._inner: FileShards | ReaderShards = _open_shards(shards, members, options)
        self._policy = self._inner._policy  # which has counted since the shards were opened

    def __copy__(self) -> ShardedReader:
        reader = super().__copy__()
        reader._inner = copy.copy(self._inner)
        return reader

    def __len__(self) -> int:
        return len(self._inner)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._inner.name!r}: {len(self._inner):,} samples>"

    def close(self) -> None:
        """Close all shards, including readers in the list. They are opened again when they are used."""
        self._inner.close()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inner.__exit__(exc_type, exc, traceback)

    def stats(self) -> ReaderStats:
        return self._inner.stats()

    def _place(self, index: int) -> SamplePlace:
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
    def _packed(self) -> PackedSource | None:  # type: ignore[override]
        return self._inner._packed if type(self).get is ShardedReader.get else None

    def get_many(
        self, indices: ArrayLike, *, columns: Sequence[str] | None = None, raw: bool = False
    ) -> Batch:
        return self._inner.get_many(indices, columns=columns, raw=raw)

    def _open_batches(self, options: BatchOptions) -> Batches:
        return self._inner._open_batches(options)

    # -- integrity

    def verify_data(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """`MsgpackReader.verify_data` of all shards that are msgpack files."""
        return all(verify_data(path, read_size, progress) for path in self._inner.paths())

    def verify_index(self, read_size: int = 512 * 1024, progress: bool = False) -> bool:
        """`MsgpackReader.verify_index` of all shards that are msgpack files."""
        return all(verify_index(path, read_size, progress) for path in self._inner.paths())


def _open_shards(
    shards: str | os.PathLike[str] | Iterable[Member], members: list[Member], options: ReadOptions
) -> FileShards | ReaderShards:
    """The shards as one dataset if they are all msgpack files that are read in the same way."""
    found = {_decoding(member, options) for member in members} or {(options.allow_pickle, options.verify)}
    decoding = found.pop() if len(found) == 1 else None
    if decoding is None:
        return ReaderShards(members, options)
    paths = [_path_of(member) for member in members if not _is_other(member)]
    name = name_of(shards if isinstance(shards, str | os.PathLike) else paths, paths)
    return FileShards(paths, name, options._replace(allow_pickle=decoding[0], verify=decoding[1]))


def _decoding(member: Member, options: ReadOptions) -> tuple[bool, Verify | None] | None:
    """`allow_pickle` and `verify` of a shard that is a msgpack file; None if it needs a reader of its own."""
    if not isinstance(member, Reader):
        return options.allow_pickle, options.verify
    if type(member) is not MsgpackReader or is_remote(member._name):  # which may have other credentials
        return None
    return member._options.allow_pickle, member._options.verify


def _is_other(member: Member) -> bool:
    """Whether a shard is not a msgpack file."""
    return isinstance(member, Reader) and not isinstance(member, MsgpackReader)


def _path_of(member: Member) -> str:
    """The data file of a shard that is a msgpack file."""
    return member._name if isinstance(member, MsgpackReader) else os.fspath(member)  # type: ignore[arg-type]


class FileShards(DatasetReader):
    """Shards that are all msgpack files."""

    def __init__(self, paths: Sequence[str], name: str, options: ReadOptions) -> None:
        self._paths = paths
        super().__init__(name, options)

    def _open_dataset(self) -> BaseDataset:
        options = self._options
        return open_files(
            self._paths,
            self._name,
            allow_pickle=options.allow_pickle,
            verify=options.verify,
            remote=options.remote,
        )

    @property
    def name(self) -> str:
        """Name of the shards in messages."""
        return self._name

    def paths(self) -> list[str]:
        """The data files."""
        return list(self._paths)


class ReaderShards(Reader):
    """Shards of which some need readers of their own."""

    def __init__(self, members: Sequence[Member], options: ReadOptions) -> None:
        super().__init__(on_error=options.on_error)
        self._closed_stats: list[ReaderStats] = []  # of readers that were opened here; at most one
        self._options = options._replace(on_error="raise")  # errors are handled here, for all shards
        self._open = OrderedDict[int, MsgpackReader]()
        self._members = members
        self._stops = list(accumulate(len(self._reader(i)) for i in range(len(members))))

    @property
    def name(self) -> str:
        """Name of the shards in messages."""
        return f"{len(self._members):,} shards"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {len(self):,} samples>"

    def paths(self) -> list[str]:
        """The data files of the shards that are msgpack files."""
        return [_path_of(member) for member in self._members if not _is_other(member)]

    def _reader(self, number: int) -> Reader:
        """The reader of one shard. Of those that are opened here, only the latest few stay open."""
        member = self._members[number]
        if isinstance(member, Reader):
            return member
        reader = self._open.pop(number, None) or MsgpackReader(member, **self._options._asdict())
        self._open[number] = reader
        if len(self._open) > MAX_OPEN:
            self._close_oldest()
        return reader

    def _close_oldest(self) -> None:
        reader = self._open.popitem(last=False)[1]
        reader.close()
        self._closed_stats = [with_transfers(reader.stats(), self._closed_stats)]

    def stats(self) -> ReaderStats:
        """Counters, with the transfers of all readers but those in the list, which have counters of their own."""
        opened = [reader.stats() for reader in tuple(self._open.values())]
        return with_transfers(super().stats(), [*self._closed_stats, *opened])

    def __copy__(self) -> ReaderShards:
        reader = super().__copy__()
        reader._open = OrderedDict()
        reader._members = [copy.copy(m) if isinstance(m, Reader) else m for m in self._members]
        return reader

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def close(self) -> None:
        """Close all readers."""
        self.__exit__(None, None, None)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self._open:
            self._close_oldest()
        for member in self._members:
            if isinstance(member, Reader):
                member.__exit__(exc_type, exc, traceback)

    def __len__(self) -> int:
        return self._stops[-1] if self._stops else 0

    # -- positions

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

    def _place(self, index: int) -> SamplePlace:
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
        raise SampleKeyError(f"none of {self.name} has a sample with key {brief(key)}{bytes_hint(key)}")

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
        form = SampleForm(yield_key, raw, copy)
        return without_omitted(samples_in_range(self, start, stop, form, max(1, stop - start)))

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
