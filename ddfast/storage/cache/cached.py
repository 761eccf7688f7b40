"""A storage that caches what it has read on the local disk, for all processes of a user."""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby
from pathlib import Path
from typing import Any

import numpy as np

from ddfast._util.paths import absolute
from ddfast.storage.base import Span, Stat, Storage, paired, run_blocking
from ddfast.storage.cache.blocks import PAGE_BYTES, Block, BlockAddress, BlockPart, footprint
from ddfast.storage.cache.shared import BlockCache, BlockFetch, Waits, shared_cache

__all__ = ["BLOCK_BYTES", "CacheCounters", "CachedStorage"]

BLOCK_BYTES = 1 << 20

# Missing blocks are read into memory of their own first; a read of a whole file must not take as much again.
WINDOW_BYTES = 32 << 20

# Bytes that are copied from the system's memory in the event loop: passing 1 MB to a thread takes as long again.
AT_HAND_BYTES = 2 << 20

WantedParts = dict[int, list[BlockPart]]

# Options that distinguish stores, and are not secret.
PLACES = re.compile("endpoint|account_name|region")


@dataclass(slots=True)
class CacheCounters:
    """Where blocks came from. A block that several spans of a read touch counts once.

    Attributes:
        local: blocks, or parts of them, that were read from the directory.
        fetched: blocks that were read from the storage.
        shared: blocks that another thread or task was reading from the storage at the time.
        passed: blocks of which only the requested bytes were read, because another reader took too long or failed.
        damaged: damaged files; their blocks were read from the storage again.
        stored: blocks that were read from the storage and are in the directory now.
    """

    local: int = 0
    fetched: int = 0
    shared: int = 0
    passed: int = 0
    damaged: int = 0
    stored: int = 0

    def add(self, other: CacheCounters) -> None:
        """Add the counts of another."""
        self.local += other.local
        self.fetched += other.fetched
        self.shared += other.shared
        self.passed += other.passed
        self.damaged += other.damaged
        self.stored += other.stored


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
        self.directory = absolute(directory)
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
            wanted = wanted_of(pairs, self.block_bytes)
            numbers, many = sorted(wanted), max(1, WINDOW_BYTES // self.block_bytes)
            for at in range(0, len(numbers), many):
                read = CacheRead(
                    cache, address, {number: wanted[number] for number in numbers[at : at + many]}
                )
                await read.run(waits, self.storage)
                self._count(read.counters)

    def read_at_hand(self, spans: Sequence[Span], into: Sequence[memoryview]) -> bool:
        """As `read`, if the system has all blocks in memory, as files of the directory."""
        self.check_usable()
        seen = self.seen
        if seen is None or sum(stop - start for start, stop in spans) > AT_HAND_BYTES:
            return False
        pairs = paired(spans, into)
        with self._cache.held() as cache:
            address = self._address(cache, seen, pairs)
            if address is None:
                return False
            wanted = wanted_of(pairs, self.block_bytes)
            found: bool | None = True
            try:
                for number, parts in wanted.items():
                    found = cache.load(address.block(number), parts, wait=False)
                    if not found:
                        break
            except BlockingIOError:
                return False
        self._count(CacheCounters(local=len(wanted) if found else 0, damaged=int(found is None)))
        return found is True

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


def wanted_of(pairs: Sequence[tuple[Span, memoryview]], block_bytes: int) -> WantedParts:
    """The wanted parts of each block, by its number; no span is empty."""
    wanted: WantedParts = {}
    for (start, stop), memory in pairs:
        for number in range(start // block_bytes, -(-stop // block_bytes)):
            base = number * block_bytes
            first, last = max(start, base), min(stop, base + block_bytes)
            part = BlockPart(first - base, last - base, memory[first - start : last - start])
            wanted.setdefault(number, []).append(part)
    return wanted


class CacheRead:
    """One read of some blocks, from the directory or else from the storage.

    Attributes:
        counters: where the blocks came from.
    """

    def __init__(self, cache: BlockCache, address: BlockAddress, wanted: WantedParts) -> None:
        self._cache = cache
        self._wanted = wanted
        self._blocks = {number: address.block(number) for number in wanted}
        self._block_bytes = address.block_bytes
        self._own: dict[str, BlockFetch] = {}
        self._others: dict[int, BlockFetch] = {}
        self._began = self._deadline = self._seconds = 0.0
        self._fetched: dict[int, memoryview] = {}
        self._spans: list[Span] = []
        self._buffers: list[memoryview] = []
        self.counters = CacheCounters()

    async def run(self, waits: Waits, storage: Storage) -> None:
        """Fill the memory of all wanted parts. Errors as those of the storage."""
        try:
            await waits.call(self._cache, self._load_all)
            if self._spans:
                await waits.read(storage, self._spans, self._buffers)
                await waits.call(self._cache, self._store_fetched)
        finally:
            self._cache.fetches.leave(self._own, self._seconds)
        if self._others:
            contents = {
                number: await waits.fetch(fetch, self._deadline) for number, fetch in self._others.items()
            }
            late = await waits.call(self._cache, self._use_others, contents)
            if late[0]:
                await waits.read(storage, *late)

    def _load_all(self) -> None:
        """Load what the directory has; find out what to read from the storage, and what others are reading."""
        missing = self._not_loaded(self._wanted)
        if not missing:
            return
        numbers = {self._blocks[number].name: number for number in missing}
        self._began = time.monotonic()
        self._deadline = self._began + self._cache.fetches.timeout
        self._own, others = self._cache.fetches.join(numbers)
        self._others = {numbers[name]: fetch for name, fetch in others.items()}
        # Another reader may have stored a block, and left, in between.
        missing = self._not_loaded(numbers[name] for name in self._own)
        position = count()
        for _, run in groupby(missing, lambda number: number - next(position)):
            self._plan(list(run))

    def _not_loaded(self, numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if not self._load(number)]

    def _load(self, number: int) -> bool:
        found = self._cache.load(self._blocks[number], self._wanted[number], wait=True)
        self.counters.local += found is True
        self.counters.damaged += found is None
        return found is True

    def _plan(self, run: Sequence[int]) -> None:
        """Read adjacent blocks from the storage as one span."""
        size = sum(self._blocks[number].size for number in run)
        memory = np.empty(size, np.uint8).data
        start = run[0] * self._block_bytes
        self._spans.append((start, start + size))
        self._buffers.append(memory)
        for at, number in zip(range(0, size, self._block_bytes), run, strict=True):
            self._fetched[number] = memory[at : at + self._block_bytes]

    def _store_fetched(self) -> None:
        """Pass on what was read from the storage to all that want it, and store it."""
        for number, content in self._fetched.items():
            self._copy(number, content)
            self._own[self._blocks[number].name].set_result(content)
        self._seconds = time.monotonic() - self._began
        self.counters.fetched += len(self._fetched)
        for number, content in self._fetched.items():
            self.counters.stored += self._cache.store(self._blocks[number], content)

    def _copy(self, number: int, content: memoryview) -> None:
        for part in self._wanted[number]:
            part.into[:] = content[part.start : part.stop]

    def _use_others(self, contents: dict[int, memoryview | None]) -> tuple[list[Span], list[memoryview]]:
        """Use what others have read. Blocks that have not arrived may be in the directory by now.

        Returns:
            Spans that are still to be read from the storage, and their buffers.
        """
        late: tuple[list[Span], list[memoryview]] = ([], [])
        for number, content in contents.items():
            if content is not None:
                self._copy(number, content)
                self.counters.shared += 1
            elif not self._load(number):
                self.counters.passed += 1
                start = number * self._block_bytes
                for part in self._wanted[number]:
                    late[0].append((start + part.start, start + part.stop))
                    late[1].append(part.into)
        return late
