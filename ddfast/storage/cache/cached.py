"""A storage that caches what it has read on the local disk, for all processes of a user."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddfast.storage.base import Span, Stat, Storage, paired, run_blocking
from ddfast.storage.cache.blocks import PAGE_BYTES, Block, BlockAddress, footprint
from ddfast.storage.cache.reads import (
    CacheCounters,
    CacheRead,
    Waits,
    is_small,
    load_at_hand,
    wanted_of,
    windows,
)
from ddfast.storage.cache.shared import BlockCache, shared_cache

__all__ = ["BLOCK_BYTES", "CachedStorage"]

BLOCK_BYTES = 1 << 20

# Options that distinguish stores, and are not secret.
PLACES = re.compile("endpoint|account_name|region")


class CachedStorage(Storage):
    """Reads aligned blocks of another storage once, and keeps them as files: a second epoch reads no remote byte.

    Any number of processes may use the directory, for any number of objects, and any of them may be killed at any
    time. The name of a block is a hash of URL, endpoint, version, size, block size and number, so bytes of a replaced
    object are never returned. Each page of a block is checked with XXH3-64 when it is read; damaged blocks are removed
    and read from the storage again. When the limit is reached, the blocks that were not used for longest are removed.
    Links in the directory are not followed. A directory that belongs to another user, that others may write to, or that
    is a link is not used: then, and if the disk is full or cannot be written, reading goes on without the cache, with
    one RuntimeWarning. An object without a version is never cached.

    A block is stored before the read that fetched it returns. If its first reader was cancelled or is slower than
    usual, other readers that wait for the block read from the storage themselves.

    The directory holds ``<hash>.block`` files (see `ddfast.storage.cache.blocks`), ``<hash>.<random>.part`` files that
    are being written, and ``usage``, their total size and lock (see `ddfast.storage.cache.usage`). Other files are
    ignored.

    Parameters:
        storage: where the bytes come from; closed together with this one.
        directory: where the blocks are kept; created, for this user only, if it is missing.
        limit_bytes: disk space for all blocks in the directory. Each process applies its own limit when it adds a
            block.
        block_bytes: size of a block, a multiple of 16 KiB.

    Raises:
        ValueError: `block_bytes` is no multiple of 16 KiB, or the limit is less than one block.
    """

    def __init__(
        self,
        storage: Storage,
        directory: str | os.PathLike[str],
        limit_bytes: int,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        if block_bytes <= 0 or block_bytes % PAGE_BYTES:
            raise ValueError(f"block_bytes is {block_bytes:,}, but must be a multiple of {PAGE_BYTES:,}")
        least = footprint(Block("", 0, block_bytes).file_size)
        if limit_bytes < least:
            raise ValueError(
                f"the limit of the cache is {limit_bytes:,} bytes, less than one block takes ({least:,}). Increase "
                "it, or use smaller blocks"
            )
        super().__init__(storage.url)
        self.storage = storage
        self.directory = directory
        self.limit_bytes = limit_bytes
        self.block_bytes = block_bytes
        self._counters = CacheCounters()
        self._counters_lock = threading.Lock()
        self._place = _place(storage)
        self._cache = shared_cache(directory, limit_bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.storage, self.directory, self.limit_bytes, self.block_bytes)

    @property
    def counters(self) -> CacheCounters:
        """Where the blocks of this storage came from so far."""
        return replace(self._counters)

    @property
    def traffic(self) -> CacheCounters:
        """Deprecated name of `counters`."""
        warnings.warn("CachedStorage.traffic is deprecated, use counters", DeprecationWarning, stacklevel=2)
        return self.counters

    @property
    def seen(self) -> Stat | None:
        """Size and version that the first `stat` or read found; None before. Sends no request."""
        return self._seen or self.storage.seen

    def stat(self) -> Stat:
        """Size and version, from the storage. Errors as there."""
        self.check_usable()
        return self.note(self.storage.stat())

    async def stat_async(self) -> Stat:
        """As `stat`."""
        self.check_usable()
        return self.note(await self.storage.stat_async())

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read into the buffers from the directory, and blocks that are missing there from the storage, in one attempt.

        Blocks in the directory are returned even if the object was replaced since it was first seen: they are of the
        version that was seen then, as all bytes that are read.

        Raises:
            ValueError: a buffer does not have the length of its span, or a span is invalid.
            StorageError: missing blocks could not be read.
            ClosedError: the storage is closed, or was opened by another process.
        """
        self.check_usable()
        run_blocking(self._read(Waits(is_async=False), spans, into))

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read`. Nothing writes to the buffers after it was cancelled."""
        self.check_usable()
        await self._read(Waits(is_async=True), spans, into)

    async def _read(self, waits: Waits, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        pairs = paired(spans, into)
        with self._cache.held() as cache:
            address = self._address(cache, self.seen or await waits.stat(self), pairs)
            if address is None:
                await waits.read(self.storage, spans, into)
                return
            for wanted in windows(pairs, self.block_bytes):
                read = CacheRead(cache, address, wanted)
                await read.run(waits, self.storage)
                self._count(read.counters)

    def read_at_hand(self, spans: Sequence[Span], into: Sequence[memoryview]) -> bool:
        """As `read`, if the system has all blocks in memory, as files of the directory."""
        self.check_usable()
        seen = self.seen
        if seen is None or not is_small(spans):
            return False
        pairs, counters = paired(spans, into), CacheCounters()
        with self._cache.held() as cache:
            address = self._address(cache, seen, pairs)
            if address is None:
                return False
            found = load_at_hand(cache, address, wanted_of(pairs, self.block_bytes), counters)
        self._count(counters)
        return found

    def _count(self, counters: CacheCounters) -> None:
        with self._counters_lock:
            self._counters.add(counters)

    def _address(
        self, cache: BlockCache, stat: Stat, pairs: Sequence[tuple[Span, memoryview]]
    ) -> BlockAddress | None:
        """Where blocks are kept; None if the read has to be left to the storage."""
        if cache.limit is None or stat.version is None:
            return None
        if any(stop > stat.size for (_, stop), _ in pairs):
            return None  # the storage raises the error
        return BlockAddress(self._place, stat.version, stat.size, self.block_bytes)

    def beside(self, suffix: str) -> CachedStorage:
        """The object whose name is longer by a suffix, cached in the same directory."""
        return type(self)(self.storage.beside(suffix), self.directory, self.limit_bytes, self.block_bytes)

    def close(self) -> None:
        """Close the storage, and the files of the directory if no other storage uses them."""
        self._release()
        self.storage.close()

    async def close_async(self) -> None:
        """As `close`."""
        self._release()
        await self.storage.close_async()

    def _release(self) -> None:
        if not self._is_closed and self._pid == os.getpid():
            self._cache.release()
        self._is_closed = True


def _place(storage: Storage) -> str:
    """Where an object is: equal URLs name different objects at different endpoints, or in different accounts."""
    url = storage.url if "://" in storage.url else str(Path(storage.url).absolute())
    options = storage.options.items()
    return repr((url, sorted((name, str(value)) for name, value in options if PLACES.search(name.lower()))))
