"""Remote datasets: opened with a few requests; their keys are fetched at the first use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast.dataset.base import Verify, check_verify
from ddfast.dataset.location import is_remote, pattern_hint
from ddfast.dataset.options import RemoteOptions
from ddfast.dataset.remote import RemoteDataset, RemoteShard
from ddfast.dataset.shard_keys import ShardKeys, ShardKeyTable
from ddfast.errors import DatasetNotFoundError
from ddfast.format.files import (
    SUFFIX_CHECKSUMS,
    SUFFIX_KEY_HASHES,
    SUFFIX_KEYS,
    SUFFIX_LEGACY_INDEX,
    SUFFIX_OFFSETS,
)
from ddfast.format.index import salt_and_hashes
from ddfast.format.keys import Keys
from ddfast.format.tables import checksum_table, no_checksums, offset_table
from ddfast.storage.base import Storage
from ddfast.storage.cache.cached import CachedStorage
from ddfast.storage.open import open_storages
from ddfast.storage.transfer.io_thread import IOThread
from ddfast.storage.transfer.link import MOST
from ddfast.storage.transfer.retry import RetryPolicy
from ddfast.storage.transfer.session import TransferSession
from ddfast.storage.urls import file_name, is_object, scheme_of

__all__ = ["open_remote"]

# Seconds beyond the time limit of an attempt after which obstore times out: the error of the attempt is more precise.
MARGIN_SECONDS = 5.0


def open_remote(
    urls: Sequence[str],
    name: str,
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    remote: RemoteOptions,
) -> RemoteDataset:
    """The dataset in these data files, of which at least one is under a URL.

    Takes three requests for each file, in two round trips: for its size and version, and for its offsets, which stay
    in memory. Checksums take two more.

    Parameters:
        urls: the data files; paths may be among them.
        name: of the dataset, for messages.
        allow_pickle, verify: as those of readers.
        remote: how to read them.

    Raises:
        DatasetNotFoundError: a data file, or its offsets, is missing.
        StorageNotFoundError: a URL has no file name.
        IndexFileError: an index file is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and a file has no checksums.
        StorageError: a file could not be read.
        TypeError: `remote.retry` is not a retry policy.
    """
    verify = check_verify(verify)
    retry = RetryPolicy.within(remote.timeout) if remote.retry is None else remote.retry
    if not isinstance(retry, RetryPolicy):
        raise TypeError(
            f"retry is {retry!r}, not a ddfast.storage.RetryPolicy such as RetryPolicy(retries=3)"
        )
    for url in filter(is_remote, urls):
        file_name(url)
    storages = _open_storages(urls, remote, retry)
    session = TransferSession(storages, retry, remote.queue_depth or MOST, remote.prefetch_bytes)
    try:
        shards = session.for_each(partial(_look, verify=verify), storages)
    except BaseException:
        session.close()
        raise
    firsts = np.cumsum([0, *(len(shard.offsets) for shard in shards)], dtype=np.int64)
    keyed = [KeyedRemoteShard(session, number, shard) for number, shard in enumerate(shards)]
    keys = ShardKeys(keyed, firsts, max_open=None)
    return RemoteDataset(
        name,
        shards,
        session,
        keys=lambda: keys,
        key_table=lambda: ShardKeyTable(keyed, keys),
        allow_pickle=allow_pickle,
    )


def _open_storages(urls: Sequence[str], remote: RemoteOptions, retry: RetryPolicy) -> list[Storage]:
    options = dict(remote.storage_options or {})
    if any(map(_has_client, urls)):
        seconds = {"timeout": retry.attempt_timeout + MARGIN_SECONDS}
        options["client_options"] = {**seconds, **(options.get("client_options") or {})}
    storages = open_storages(urls, **options)
    if remote.cache is None:
        return storages
    return [CachedStorage(storage, remote.cache, remote.cache_bytes) for storage in storages]


def _has_client(url: str) -> bool:
    return is_object(url) and scheme_of(url) != "memory"


async def _look(thread: IOThread, storage: Storage, verify: Verify | None) -> RemoteShard:
    """The properties of a data file that must be known before its first sample is read."""
    suffixes = [SUFFIX_OFFSETS] if verify is None else [SUFFIX_OFFSETS, SUFFIX_CHECKSUMS]
    found = await asyncio.gather(
        thread.stat(storage),
        *(_fetch(thread, storage, suffix) for suffix in suffixes),
        return_exceptions=True,
    )
    stat, content, *sums = (_checked(storage, *pair) for pair in zip(["", *suffixes], found, strict=True))
    offsets = offset_table(storage.name + SUFFIX_OFFSETS, content, stat.size)
    tables = [checksum_table(storage.name + SUFFIX_CHECKSUMS, each, len(offsets)) for each in sums]
    return RemoteShard(storage.name, stat.size, offsets, *tables)


async def _fetch(thread: IOThread, storage: Storage, suffix: str) -> memoryview:
    """The whole of an index file."""
    with storage.beside(suffix) as index:  # the I/O thread waits for cancelled requests
        return await thread.read_all(index)


def _checked(storage: Storage, suffix: str, found: Any) -> Any:
    """The result of a request for a file; raises its error, as an error of readers if the file is missing."""
    if not isinstance(found, BaseException):
        return found
    if isinstance(found, FileNotFoundError):
        if suffix == SUFFIX_CHECKSUMS:
            raise no_checksums(storage.name + suffix) from found
        if suffix == SUFFIX_OFFSETS:
            raise DatasetNotFoundError(
                f"{storage.name} has no index: {storage.name}{suffix} not found. A dataset with a "
                f"legacy {SUFFIX_LEGACY_INDEX} file cannot be read from a URL: run `ddfast convert-index` on a local "
                "copy"
            ) from found
        raise DatasetNotFoundError(
            str(found).rstrip(".") + (pattern_hint(storage.url.partition("?")[0]) or ".")
        ) from found
    raise found


class KeyedRemoteShard:
    """The keys of one shard, fetched when they are first used.

    Parameters:
        session: reads the shard.
        number: number of the shard in the session.
        shard: the shard.
    """

    def __init__(self, session: TransferSession, number: int, shard: RemoteShard) -> None:
        self._session = session
        self._number = number
        self.path = shard.name
        self.samples = len(shard.offsets)

    def open_keys(self) -> Keys:
        """See `ddfast.dataset.shard_keys.KeyedShard`."""
        try:
            return Keys(self.path + SUFFIX_KEYS, self._fetched(SUFFIX_KEYS))
        except FileNotFoundError as error:
            raise DatasetNotFoundError(
                f"{self.path}{SUFFIX_KEYS} not found, so samples have no keys. `ddfast index` creates it"
            ) from error

    def load_hashes(self) -> tuple[bytes, NDArray[np.uint64]]:
        """See `ddfast.dataset.shard_keys.KeyedShard`."""
        return salt_and_hashes(self.path + SUFFIX_KEY_HASHES, self._fetched(SUFFIX_KEY_HASHES))

    def check(self) -> None:
        """Check that the data file has not been replaced since it was opened."""
        self._session.for_each(IOThread.stat, [self._storage])

    @property
    def _storage(self) -> Storage:
        return self._session.opened()[self._number]

    def _fetched(self, suffix: str) -> memoryview:
        return self._session.for_each(partial(_fetch, suffix=suffix), [self._storage])[0]
