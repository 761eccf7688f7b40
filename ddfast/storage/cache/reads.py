"""The reading of blocks through a cache, in steps: between them one waits, by blocking or on an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ddfast.storage.base import Span
from ddfast.storage.cache.blocks import Address, Part
from ddfast.storage.cache.flights import Flight
from ddfast.storage.cache.shared import BlockCache

__all__ = ["CacheTraffic", "Errand", "Wanted", "glance", "is_small", "wanted_of", "windows"]

# Missing blocks are fetched to memory of their own first; a read of a whole file must not take as much again.
WINDOW_BYTES = 32 << 20

# So much is copied from the system's memory in the event loop: handing 1 MB to a thread takes as long again.
GLANCE_BYTES = 2 << 20

Wanted = dict[int, list[Part]]


@dataclass(slots=True)
class CacheTraffic:
    """Where blocks came from. One that several spans of a read touch counts once.

    Attributes:
        local: blocks, or parts of them, read from the directory.
        fetched: blocks read from the storage.
        shared: blocks that another thread or task was fetching at the time.
        passed: blocks of which just the bytes asked for were read, as another's fetch took too long or failed.
        damaged: files that were not what they should be; their blocks were fetched anew.
        stored: blocks that were fetched and are now in the directory.
    """

    local: int = 0
    fetched: int = 0
    shared: int = 0
    passed: int = 0
    damaged: int = 0
    stored: int = 0

    def add(self, other: CacheTraffic) -> None:
        """Count what another has counted."""
        self.local += other.local
        self.fetched += other.fetched
        self.shared += other.shared
        self.passed += other.passed
        self.damaged += other.damaged
        self.stored += other.stored


def wanted_of(pairs: Sequence[tuple[Span, memoryview]], block_bytes: int) -> Wanted:
    """What is wanted of which block; no span is empty."""
    wanted: Wanted = {}
    for (start, stop), memory in pairs:
        for number in range(start // block_bytes, -(-stop // block_bytes)):
            base = number * block_bytes
            first, last = max(start, base), min(stop, base + block_bytes)
            part = Part(first - base, last - base, memory[first - start : last - start])
            wanted.setdefault(number, []).append(part)
    return wanted


def windows(pairs: Sequence[tuple[Span, memoryview]], block_bytes: int) -> Iterator[Wanted]:
    """The same, a bounded number of blocks at a time."""
    wanted = wanted_of(pairs, block_bytes)
    numbers = sorted(wanted)
    many = max(1, WINDOW_BYTES // block_bytes)
    for at in range(0, len(numbers), many):
        yield {number: wanted[number] for number in numbers[at : at + many]}


def is_small(spans: Sequence[Span]) -> bool:
    """Whether these are worth a `glance`."""
    return sum(stop - start for start, stop in spans) <= GLANCE_BYTES


def glance(cache: BlockCache, address: Address, wanted: Wanted, traffic: CacheTraffic) -> bool:
    """Take what the directory has, without waiting for a disk; whether that was all."""
    try:
        for number, parts in wanted.items():
            found = cache.load(address.block(number), parts, wait=False)
            if not found:
                traffic.damaged += found is None
                return False
    except BlockingIOError:
        return False
    traffic.local += len(wanted)
    return True


class Errand:
    """The reading of a window of blocks: `look`, fetch and `land`, `leave` in any case, await and `settle`, fetch.

    Attributes:
        spans: what is to be read from the storage between `look` and `land`.
        buffers: the memory for that.
        awaited: flights of others, to be waited for after `leave`, by the numbers of blocks.
        arrived: what came of these, to be filled before `settle`.
        late: what to read from the storage after `settle`, and to where.
        traffic: where the blocks came from.
    """

    def __init__(self, cache: BlockCache, address: Address, wanted: Wanted) -> None:
        self._cache = cache
        self._wanted = wanted
        self._blocks = {number: address.block(number) for number in wanted}
        self._own: dict[str, Flight] = {}
        self._fetched: dict[int, memoryview] = {}
        self._block_bytes = address.block_bytes
        self.spans: list[Span] = []
        self.buffers: list[memoryview] = []
        self.awaited: dict[int, Flight] = {}
        self.arrived: dict[int, memoryview | None] = {}
        self.late: tuple[list[Span], list[memoryview]] = ([], [])
        self.traffic = CacheTraffic()

    def look(self) -> None:
        """Take what the directory has; find out what to fetch, and what others are fetching."""
        missing = self._not_there(self._wanted)
        if not missing:
            return
        numbers = {self._blocks[number].name: number for number in missing}
        self._own, others = self._cache.flights.join(numbers)
        self.awaited = {numbers[name]: flight for name, flight in others.items()}
        # Somebody may have stored a block after we looked, and left before we joined.
        missing = self._not_there(numbers[name] for name in self._own)
        for first, stop in _runs(missing):
            self._plan(range(first, stop))

    def _not_there(self, numbers: Iterable[int]) -> list[int]:
        return [number for number in numbers if not self._load(number)]

    def _load(self, number: int) -> bool:
        found = self._cache.load(self._blocks[number], self._wanted[number], wait=True)
        self.traffic.local += found is True
        self.traffic.damaged += found is None
        return found is True

    def _plan(self, run: range) -> None:
        """Fetch adjacent blocks in one read."""
        size = sum(self._blocks[number].size for number in run)
        memory = np.empty(size, np.uint8).data
        start = run.start * self._block_bytes
        self.spans.append((start, start + size))
        self.buffers.append(memory)
        for at, number in zip(range(0, size, self._block_bytes), run, strict=True):
            self._fetched[number] = memory[at : at + self._block_bytes]

    def land(self) -> None:
        """Hand on what was fetched to those who want it, and store it."""
        for number, content in self._fetched.items():
            self._give(number, content)
            self._cache.flights.arrive(self._blocks[number].name, content)
        self.traffic.fetched += len(self._fetched)
        for number, content in self._fetched.items():
            self.traffic.stored += self._cache.store(self._blocks[number], content)

    def _give(self, number: int, content: memoryview) -> None:
        for part in self._wanted[number]:
            part.into[:] = content[part.start : part.stop]

    def leave(self) -> None:
        """Let others fetch what has not come."""
        self._cache.flights.leave(self._own)

    def settle(self) -> None:
        """Take what others have fetched; what has not come may be in the directory by now, or is late."""
        for number, content in self.arrived.items():
            if content is not None:
                self._give(number, content)
                self.traffic.shared += 1
            elif not self._load(number):
                self._read_late(number)

    def _read_late(self, number: int) -> None:
        self.traffic.passed += 1
        start = number * self._block_bytes
        for part in self._wanted[number]:
            self.late[0].append((start + part.start, start + part.stop))
            self.late[1].append(part.into)


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs ``[first, stop)`` of consecutive numbers, which are in order."""
    first = 0
    for at in range(1, len(numbers) + 1 if numbers else 0):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            yield numbers[first], numbers[at - 1] + 1
            first = at
