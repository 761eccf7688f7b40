"""A storage that keeps what it has read on the local disk, for all processes of a user."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ddfast.storage.base import Span, Stat, Storage, paired
from ddfast.storage.cache.blocks import PAGE_BYTES, Address, Block, footprint
from ddfast.storage.cache.reads import CacheTraffic, Errand, glance, is_small, wanted_of, windows
from ddfast.storage.cache.shared import BlockCache, shared_cache

__all__ = ["BLOCK_BYTES", "CacheTraffic", "CachedStorage"]

BLOCK_BYTES = 1 << 20

# Options that tell one store from another, and no secret of either.
PLACES = re.compile("endpoint|account_name|region")


class CachedStorage(Storage):
    """Reads aligned blocks of another storage once, and keeps them as files; a later epoch reads no remote byte.

    The directory may be used by any number of processes, for any number of objects, and any of them may be killed at
    any time. A block's name is a hash of URL, end point, version, size, block size and number, so bytes of a replaced
    object are never served. Each page of a block is checked with XXH3-64 when it is read; what is damaged is dropped
    and fetched anew. What was not used for longest leaves when the limit is reached. Links in the directory are not
    followed, and a directory that belongs to somebody else, that others may write to or that is a link itself is not
    used: then, and where the disk is full or cannot be written, reading goes on without the cache, with one
    RuntimeWarning. An object without a version is never cached.

    A block is stored before the read that fetched it returns. Where a block was given up by its first reader, or is
    slower to come than usual, whoever waits for it as well reads by itself: a second request for slow bytes works.

    The directory holds ``<hash>.block`` files (see `ddfast.storage.cache.blocks`), ``<hash>.<random>.part`` files that are
    being written, and ``usage``, their count and lock (see `ddfast.storage.cache.usage`). Other files there are left alone.

    Parameters:
        storage: where the bytes come from; closed together with this one.
        directory: where the blocks are kept; made, for this user alone, if it is missing.
        limit_bytes: what all blocks in the directory may take of the disk. Where processes name different limits,
            each keeps to its own when it adds a block.
        block_bytes: bytes of a block, a multiple of 16 KiB.

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
            raise ValueError(f"block_bytes is {block_bytes:,}: give a multiple of {PAGE_BYTES:,}")
        least = footprint(Block("", 0, block_bytes).file_size)
        if limit_bytes < least:
            raise ValueError(
                f"the cache's limit of {limit_bytes:,} bytes is less than one block takes ({least:,}): raise it, or "
                "choose smaller blocks"
            )
        super().__init__(storage.url)
        self.storage = storage
        self.directory = directory
        self.limit_bytes = limit_bytes
        self.block_bytes = block_bytes
        self._traffic = CacheTraffic()
        self._counting = threading.Lock()
        self._place = _place(storage)
        self._cache = shared_cache(directory, limit_bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.storage, self.directory, self.limit_bytes, self.block_bytes)

    @property
    def traffic(self) -> CacheTraffic:
        """Where this storage's blocks came from, so far."""
        return replace(self._traffic)

    @property
    def seen(self) -> Stat | None:
        """What the first `stat` or read learnt of the object; None before. Asks nobody."""
        return self._seen or self.storage.seen

    def stat(self) -> Stat:
        """Ask the storage for size and version; errors as there."""
        self.check_usable()
        return self.note(self.storage.stat())

    async def stat_async(self) -> Stat:
        """As `stat`."""
        self.check_usable()
        return self.note(await self.storage.stat_async())

    def read(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read into the buffers: from the directory what it has, and the rest in one attempt.

        What the directory has is served also where the object was replaced since it was first seen: it is of the
        version seen then, as all that is read.

        Raises:
            ValueError: a buffer has not the length of its span, or a span is none.
            StorageError: what is missing could not be read.
            ClosedError: the storage is closed, or of another process.
        """
        self.check_usable()
        pairs = paired(spans, into)
        with self._cache.held() as cache:
            address = self._address(cache, self.seen or self.stat(), pairs)
            if address is None:
                self.storage.read(spans, into)
                return
            for wanted in windows(pairs, self.block_bytes):
                self._run(Errand(cache, address, wanted))

    def _run(self, errand: Errand) -> None:
        try:
            errand.look()
            if errand.spans:
                self.storage.read(errand.spans, errand.buffers)
                errand.land()
        finally:
            errand.leave()
        if errand.awaited:
            errand.arrived = {number: flight.wait() for number, flight in errand.awaited.items()}
            errand.settle()
            if errand.late[0]:
                self.storage.read(*errand.late)
        self._count(errand.traffic)

    def read_at_hand(self, spans: Sequence[Span], into: Sequence[memoryview]) -> bool:
        """As `read`, where the system has all of it in memory, as blocks of the directory."""
        self.check_usable()
        if self.seen is None or not is_small(spans):
            return False
        pairs, traffic = paired(spans, into), CacheTraffic()
        with self._cache.held() as cache:
            address = self._address(cache, self.seen, pairs)
            if address is None:
                return False
            found = glance(cache, address, wanted_of(pairs, self.block_bytes), traffic)
        self._count(traffic)
        return found

    async def read_async(self, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """As `read`. When it was cancelled, the buffers are not touched any more."""
        self.check_usable()
        pairs = paired(spans, into)
        with self._cache.held() as cache:
            address = self._address(cache, self.seen or await self.stat_async(), pairs)
            if address is None:
                await self.storage.read_async(spans, into)
                return
            for wanted in windows(pairs, self.block_bytes):
                await self._run_async(cache, Errand(cache, address, wanted))

    async def _run_async(self, cache: BlockCache, errand: Errand) -> None:
        try:
            await cache.in_thread(errand.look)
            if errand.spans:
                await self.storage.read_async(errand.spans, errand.buffers)
                await cache.in_thread(errand.land)
        finally:
            errand.leave()
        if errand.awaited:
            errand.arrived = {number: await flight.wait_async() for number, flight in errand.awaited.items()}
            await cache.in_thread(errand.settle)
            if errand.late[0]:
                await self.storage.read_async(*errand.late)
        self._count(errand.traffic)

    def _count(self, traffic: CacheTraffic) -> None:
        with self._counting:
            self._traffic.add(traffic)

    def _address(
        self, cache: BlockCache, stat: Stat, pairs: Sequence[tuple[Span, memoryview]]
    ) -> Address | None:
        """Where blocks are kept; None if the storage has to answer by itself."""
        if cache.ledger is None or stat.version is None:
            return None
        if any(stop > stat.size for (_, stop), _ in pairs):
            return None  # it knows best what to say
        return Address(self._place, stat.version, stat.size, self.block_bytes)

    def beside(self, suffix: str) -> CachedStorage:
        """The object beside this one, in the same directory."""
        return type(self)(self.storage.beside(suffix), self.directory, self.limit_bytes, self.block_bytes)

    def close(self) -> None:
        """Close the storage below, and the files of the directory if nobody else uses them."""
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
    """Where an object is: equal URLs mean different objects at different end points, or in different accounts."""
    url = storage.url if "://" in storage.url else str(Path(storage.url).absolute())
    options = storage.options.items()
    return repr((url, sorted((name, str(value)) for name, value in options if PLACES.search(name.lower()))))
