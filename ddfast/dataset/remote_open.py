"""Datasets under URLs: opened with a few requests, their keys fetched when they are first used."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast.dataset.base import Verify, check_verify
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
from ddfast.format.mapped import checksum_table, no_checksums, offset_table
from ddfast.storage.agent import Agent
from ddfast.storage.attempts import Policy
from ddfast.storage.base import Storage
from ddfast.storage.cache import CachedStorage
from ddfast.storage.flow import MOST
from ddfast.storage.link import StorageLink
from ddfast.storage.opening import is_object, open_storages
from ddfast.storage.urls import scheme_of

__all__ = ["open_remote"]

# What obstore may take beyond the time of an attempt before it gives up by itself: our own error says more.
MARGIN_SECONDS = 5.0


def open_remote(
    urls: Sequence[str],
    name: str,
    *,
    allow_pickle: bool = False,
    verify: Verify | None = None,
    remote: RemoteOptions,
) -> RemoteDataset:
    """The dataset in all of these data files, of which at least one is under a URL.

    Takes three requests for each file, two round trips in all: for what it is, and for its offsets, which stay in
    memory. Checksums take two more.

    Parameters:
        urls: the data files; paths may be among them.
        name: what messages call them all.
        allow_pickle, verify: as those of readers.
        remote: how to read them.

    Raises:
        DatasetNotFoundError: a data file, or its offsets, is missing.
        IndexFileError: an index file is damaged or belongs to another data file.
        ChecksumsNotFoundError: samples are to be verified, and those of a file have no checksums.
        StorageError: storage does not give them.
        TypeError: `remote.retry` is not a retry policy.
    """
    verify = check_verify(verify)
    attempts = Policy.within(remote.timeout) if remote.retry is None else remote.retry
    if not isinstance(attempts, Policy):
        raise TypeError(
            f"retry is {attempts!r}, not a ddfast.storage.RetryPolicy such as RetryPolicy(retries=3)"
        )
    storages = _open_storages(urls, remote, attempts)
    link = StorageLink(storages, attempts, remote.queue_depth or MOST, remote.prefetch_bytes)
    try:
        shards = link.for_each(partial(_look, verify=verify), storages)
    except BaseException:
        link.close()
        raise
    firsts = np.cumsum([0, *(len(shard.offsets) for shard in shards)], dtype=np.int64)
    keyed = [KeyedRemoteShard(link, number, shard) for number, shard in enumerate(shards)]
    keys = ShardKeys(keyed, firsts, max_open=None)
    return RemoteDataset(
        name,
        shards,
        link,
        keys=lambda: keys,
        key_table=lambda: ShardKeyTable(keyed, keys),
        allow_pickle=allow_pickle,
    )


def _open_storages(urls: Sequence[str], remote: RemoteOptions, attempts: Policy) -> list[Storage]:
    options = dict(remote.storage_options or {})
    if any(map(_has_client, urls)):
        seconds = {"timeout": attempts.attempt_timeout + MARGIN_SECONDS}
        options["client_options"] = {**seconds, **(options.get("client_options") or {})}
    storages = open_storages(urls, **options)
    if remote.cache is None:
        return storages
    return [CachedStorage(storage, remote.cache, remote.cache_bytes) for storage in storages]


def _has_client(url: str) -> bool:
    return is_object(url) and scheme_of(url) != "memory"


async def _look(agent: Agent, storage: Storage, verify: Verify | None) -> RemoteShard:
    """What has to be known of a data file before its first sample is read."""
    suffixes = [SUFFIX_OFFSETS] if verify is None else [SUFFIX_OFFSETS, SUFFIX_CHECKSUMS]
    found = await asyncio.gather(
        agent.looked_at(storage),
        *(_fetch(agent, storage, suffix) for suffix in suffixes),
        return_exceptions=True,
    )
    stat, content, *sums = (_checked(storage, *pair) for pair in zip(["", *suffixes], found, strict=True))
    offsets = offset_table(storage.name + SUFFIX_OFFSETS, content, stat.size)
    tables = [checksum_table(storage.name + SUFFIX_CHECKSUMS, each, len(offsets)) for each in sums]
    return RemoteShard(storage.name, stat.size, offsets, *tables)


async def _fetch(agent: Agent, storage: Storage, suffix: str) -> memoryview:
    """The whole of an index file."""
    with storage.beside(suffix) as index:  # the agent waits for what was cancelled
        return await agent.whole(index)


def _checked(storage: Storage, suffix: str, found: Any) -> Any:
    """What came of a request for a file; a reader's own error where the file is missing."""
    if not isinstance(found, BaseException):
        return found
    if isinstance(found, FileNotFoundError):
        if suffix == SUFFIX_CHECKSUMS:
            raise no_checksums(storage.name + suffix) from found
        if suffix == SUFFIX_OFFSETS:
            raise DatasetNotFoundError(
                f"{storage.name} has no index: {storage.name}{suffix} not found. A dataset with an "
                f"{SUFFIX_LEGACY_INDEX} file of old is read from files only: `ddfast convert-index` makes the new "
                "index there"
            ) from found
        raise DatasetNotFoundError(str(found)) from found
    raise found


class KeyedRemoteShard:
    """The keys of one shard, fetched when they are asked for.

    Parameters:
        link: what it is read over.
        number: which of the link's storages it is.
        shard: what is known of it.
    """

    def __init__(self, link: StorageLink, number: int, shard: RemoteShard) -> None:
        self._link = link
        self._number = number
        self.path = shard.name
        self.samples = len(shard.offsets)

    def open_keys(self) -> Keys:
        """See `ddfast.dataset.shard_keys.KeyedShard`."""
        try:
            return Keys(self.path + SUFFIX_KEYS, self._fetched(SUFFIX_KEYS))
        except FileNotFoundError as error:
            raise DatasetNotFoundError(
                f"{self.path}{SUFFIX_KEYS} not found, so samples have no keys. `ddfast index` makes it again"
            ) from error

    def load_hashes(self) -> tuple[bytes, NDArray[np.uint64]]:
        """See `ddfast.dataset.shard_keys.KeyedShard`."""
        return salt_and_hashes(self.path + SUFFIX_KEY_HASHES, self._fetched(SUFFIX_KEY_HASHES))

    def check(self) -> None:
        """Ask whether the data file is still the one that was opened."""
        self._link.for_each(Agent.looked_at, [self._storage])

    @property
    def _storage(self) -> Storage:
        return self._link.opened()[self._number]

    def _fetched(self, suffix: str) -> memoryview:
        return self._link.for_each(partial(_fetch, suffix=suffix), [self._storage])[0]
