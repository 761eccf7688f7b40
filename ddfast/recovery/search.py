"""Samples in a part of a data file without usable offsets."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast._native.scan import scan_run
from ddfast._native.status import E_TRUNCATED
from ddfast._native.xxh3 import checksums
from ddfast._util.brief import brief
from ddfast.errors import KernelError

WINDOW = 4 << 20
BLOCK = 4096
HEAD = 64

# Size up to which the bytes after damage are read as one sample, before it is known to be one.
LARGEST_GUESS = 256 << 20

# Bytes that may be examined in vain for each byte of the file: bounds the time for files made to take long.
WORK = 256

# Most samples that are looked for at once.
ROOM = 4096

# First bytes of a map, as samples are.
MAP_STARTS = re.compile(rb"[\x81-\x8f\xde\xdf]")
WORD = re.compile(b"key")


@dataclass(frozen=True, slots=True)
class LostSamples:
    """A part of a data file without intact samples.

    Parameters:
        start: position of its first byte.
        stop: position after its last byte.
        reason: what is wrong.
        index: of the sample, if it is known.
        key: of the sample, if it is known.
    """

    start: int
    stop: int
    reason: str
    index: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        name = "" if self.index is None else f"sample {self.index}: "
        name = name if self.key is None else f"sample {self.index} ({brief(self.key)}): "
        return f"{name}bytes {self.start:,} to {self.stop:,}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """All fields, for JSON."""
        return asdict(self)


@dataclass(slots=True)
class Known:
    """What is known of the samples of a dataset.

    Attributes:
        keys: of all samples, or None.
        sums: checksums of all samples, or None.
        heads: the first bytes of samples that were found.
    """

    keys: set[str] | None = None
    sums: set[int] | None = None
    heads: set[bytes] = field(default_factory=set)

    def add_heads(self, data: memoryview, offsets: NDArray[np.uint64]) -> None:
        """Note how samples begin."""
        first = int(offsets[0])
        self.heads.update(_head(data, at - first) for at in offsets[:-1].tolist())

    def plausible(self, data: memoryview, stops: NDArray[np.uint64], keys: list[str | None]) -> int:
        """How many of the messages are samples, rather than values in a damaged sample."""
        for at, key in enumerate(keys):
            if key is None or (self.keys is not None and key not in self.keys):
                return at
            if self.sums is not None:
                start = int(stops[at - 1]) if at else 0
                size = stops[at : at + 1] - np.uint64(start)
                if int(checksums(data[start:], size)[0]) not in self.sums:
                    return at
        return len(keys)

    def is_inner(self, data: memoryview) -> bool:
        """Whether a map after damage may be a part of a sample: no checksum is known, and no sample begins like it."""
        return self.sums is None and bool(self.heads) and _head(data, 0) not in self.heads


# Samples that were found: their bytes, their positions in the file, and their keys.
Found = tuple[memoryview, NDArray[np.uint64], list[str | None]]


class Search:
    """Searches parts of a data file for samples.

    The time is proportional to the size of the file, whatever it contains.

    Parameters:
        file: descriptor of the file.
        size: of the file.
        known: what is known of its samples.
    """

    def __init__(self, file: int, size: int, known: Known) -> None:
        self._file = file
        self._known = known
        self._credit = size + LARGEST_GUESS  # bytes that may be examined in vain

    def samples(self, start: int, stop: int, lost: list[LostSamples]) -> Iterator[Found]:
        """The samples in a part of the file, which begins with one.

        Parameters:
            start, stop: the part.
            lost: the stretches without samples are added to it.
        """
        gap, reason, room, window = start, "", 1, SlidingWindow(self._file, stop)
        while start < stop:
            begin = start
            found = self._scan(window, start, start > gap, room)
            if isinstance(found, str):
                reason, room = reason or found, 1
                start = self._next_start(window, start + 1)
            else:
                self._known.add_heads(*found[:2])
                if gap < start:
                    lost.append(LostSamples(gap, start, reason))
                yield found
                room = min(2 * room, ROOM) if len(found[2]) == room else 1
                gap = start = int(found[1][-1])
                reason = ""
            self._credit += WORK * (start - begin)
        if gap < stop:
            lost.append(LostSamples(gap, stop, reason))

    def _scan(self, window: SlidingWindow, start: int, is_guess: bool, room: int) -> Found | str:
        """Up to `room` samples that start at a position, or why there are none. A guess is one sample."""
        limit = max(HEAD, min(self._credit, window.size - start))
        most = self._most(window, start) if is_guess else limit
        size = WINDOW
        while True:
            data = window.at(start, min(size, limit))[:limit]
            try:
                stops, keys, _ = scan_run(data, 1 if is_guess else room)
            except KernelError as error:
                if error.code == E_TRUNCATED and len(data) < error.item <= min(
                    most, limit, window.size - start
                ):
                    size = max(2 * size, error.item)
                    continue
                self._credit -= error.pos + (size if size > WINDOW else 0)
                return "the file ends within the sample" if error.code == E_TRUNCATED else error.reason
            count = self._known.plausible(data, stops, keys)
            if not count or (is_guess and self._known.is_inner(data)):
                self._credit -= int(stops[-1])
                return "no sample of this dataset begins here"
            offsets = np.append(np.uint64(0), stops[:count]) + np.uint64(start)
            return data[: int(stops[count - 1])], offsets, keys[:count]

    def _most(self, window: SlidingWindow, start: int) -> int:
        """Size up to which more of the file is read for a guessed sample, according to its first bytes."""
        head = window.at(start, HEAD)
        if len(head) < 2 or (self._known.heads and _head(head, 0) not in self._known.heads):
            return 0
        return LARGEST_GUESS

    def _next_start(self, window: SlidingWindow, start: int) -> int:
        """The next position at which a sample may start; the word "key" follows."""
        word = window.find_word(start)
        if word is None:
            return window.size
        start = max(start, word - LARGEST_GUESS)
        while start < window.size:
            data = window.at(start, 1)
            found = MAP_STARTS.search(data)
            if found:
                return start + found.start()
            start += len(data)
        return start


class SlidingWindow:
    """The part of a file that is in memory. As long as it moves forward, each byte is read once.

    Parameters:
        file: descriptor of the file.
        size: of the part of the file that is read.
    """

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self.size = size
        self._start = 0
        self._data = memoryview(b"")
        self._word: int | None = -1  # where it was found last; None if not found
        self._ahead: SlidingWindow | None = None  # searches the rest of the file

    def at(self, start: int, size: int) -> memoryview:
        """Bytes from `start` on: at least `size`, or up to the end of the file."""
        size = min(size, self.size - start)
        if not self._start <= start <= self._start + len(self._data):
            self._start, self._data = start, memoryview(b"")
        held = self._data[start - self._start :]
        if len(held) < size:
            behind = start + len(held)
            more = read_around(self._file, behind, min(max(size - len(held), WINDOW), self.size - behind))
            held = memoryview(b"".join([held, more]))
            self._start, self._data = start, held
        return held

    def find_word(self, start: int) -> int | None:
        """Position of the next word "key"; None if there is none."""
        if self._word is not None and self._word < start:
            self._word, window = None, self
            while start < self.size and self._word is None:
                data = window.at(start, len(WORD.pattern))
                found = WORD.search(data)
                self._word = start + found.start() if found else None
                start += max(1, len(data) - len(WORD.pattern) + 1)
                window = self._ahead = self._ahead or SlidingWindow(self._file, self.size)
        return self._word


def _head(data: memoryview, at: int) -> bytes:
    """The first bytes of a sample: size of the map and name of the first field, if that is short."""
    if at + 1 >= len(data):
        return bytes(data[at:])
    name = data[at + 1]
    return bytes(data[at : at + 2 + (name & 0x1F if name & 0xE0 == 0xA0 else 0)])


def read_around(file: int, start: int, size: int) -> bytes:
    """Bytes of a file; zeros in place of blocks that cannot be read."""
    try:
        return os.pread(file, size, start).ljust(size, b"\0")
    except OSError as error:
        if error.errno != errno.EIO or size <= BLOCK:
            if error.errno != errno.EIO:
                raise
            return bytes(size)
    return b"".join(
        read_around(file, at, min(BLOCK, start + size - at)) for at in range(start, start + size, BLOCK)
    )
