"""Reads of blocks through a cache, in steps with waits between them: blocking, or on an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np

from ddfast.storage.base import Span, Stat, Storage
from ddfast.storage.cache.blocks import BlockAddress, BlockPart
from ddfast.storage.cache.shared import BlockCache, BlockFetch

__all__ = [
    "CacheCounters",
    "CacheRead",
    "Waits",
    "is_small",
    "load_at_hand",
    "wanted_of",
    "windows",
]

P = ParamSpec("P")
R = TypeVar("R")

# Missing blocks are read into memory of their own first; a read of a whole file must not take as much again.
WINDOW_BYTES = 32 << 20

# Bytes that are copied from the system's memory in the event loop: passing 1 MB to a thread takes as long again.
AT_HAND_BYTES = 2 << 20

WantedParts = dict[int, list[BlockPart]]


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


class Waits(NamedTuple):
    """How a read waits. Its coroutines never suspend if it blocks, see `ddfast.storage.base.run_blocking`."""

    is_async: bool

    async def call(self, cache: BlockCache, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of file operations, which use a thread if this is asynchronous."""
        if self.is_async:
            return await cache.in_thread(function, *args, **kwargs)
        return function(*args, **kwargs)

    async def stat(self, storage: Storage) -> Stat:
        """Size and version of an object."""
        return await storage.stat_async() if self.is_async else storage.stat()

    async def read(self, storage: Storage, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read from a storage."""
        if self.is_async:
            await storage.read_async(spans, into)
        else:
            storage.read(spans, into)

    async def fetch(self, fetch: BlockFetch) -> memoryview | None:
        """A block that another thread or task fetches."""
        return await fetch.wait_async() if self.is_async else fetch.wait()


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


def windows(pairs: Sequence[tuple[Span, memoryview]], block_bytes: int) -> Iterator[WantedParts]:
    """As `wanted_of`, a bounded number of blocks at a time."""
    wanted = wanted_of(pairs, block_bytes)
    numbers = sorted(wanted)
    many = max(1, WINDOW_BYTES // block_bytes)
    for at in range(0, len(numbers), many):
        yield {number: wanted[number] for number in numbers[at : at + many]}


def is_small(spans: Sequence[Span]) -> bool:
    """Whether spans are small enough for `load_at_hand`."""
    return sum(stop - start for start, stop in spans) <= AT_HAND_BYTES


def load_at_hand(
    cache: BlockCache, address: BlockAddress, wanted: WantedParts, counters: CacheCounters
) -> bool:
    """Load blocks that the system has in memory; False if it does not have all of them."""
    try:
        for number, parts in wanted.items():
            found = cache.load(address.block(number), parts, wait=False)
            if not found:
                counters.damaged += found is None
                return False
    except BlockingIOError:
        return False
    counters.local += len(wanted)
    return True


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
            self._cache.fetches.leave(self._own)
        if self._others:
            contents = {number: await waits.fetch(fetch) for number, fetch in self._others.items()}
            late = await waits.call(self._cache, self._use_others, contents)
            if late[0]:
                await waits.read(storage, *late)

    def _load_all(self) -> None:
        """Load what the directory has; find out what to read from the storage, and what others are reading."""
        missing = self._not_loaded(self._wanted)
        if not missing:
            return
        numbers = {self._blocks[number].name: number for number in missing}
        self._own, others = self._cache.fetches.join(numbers)
        self._others = {numbers[name]: fetch for name, fetch in others.items()}
        # Another reader may have stored a block, and left, in between.
        missing = self._not_loaded(numbers[name] for name in self._own)
        for first, stop in _runs(missing):
            self._plan(range(first, stop))

    def _not_loaded(self, numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if not self._load(number)]

    def _load(self, number: int) -> bool:
        found = self._cache.load(self._blocks[number], self._wanted[number], wait=True)
        self.counters.local += found is True
        self.counters.damaged += found is None
        return found is True

    def _plan(self, run: range) -> None:
        """Read adjacent blocks from the storage as one span."""
        size = sum(self._blocks[number].size for number in run)
        memory = np.empty(size, np.uint8).data
        start = run.start * self._block_bytes
        self._spans.append((start, start + size))
        self._buffers.append(memory)
        for at, number in zip(range(0, size, self._block_bytes), run, strict=True):
            self._fetched[number] = memory[at : at + self._block_bytes]

    def _store_fetched(self) -> None:
        """Pass on what was read from the storage to all that want it, and store it."""
        for number, content in self._fetched.items():
            self._copy(number, content)
            self._cache.fetches.arrive(self._blocks[number].name, content)
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


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs ``[first, stop)`` of consecutive numbers, which are in order."""
    first = 0
    for at in range(1, len(numbers) + 1 if numbers else 0):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[first], numbers[at - 1] + 1
            first = at
