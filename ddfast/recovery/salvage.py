"""The intact samples of a damaged dataset."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast._native.scan import scan_run, scan_spans
from ddfast._native.status import E_TRUNCATED
from ddfast._native.xxh3 import checksums
from ddfast._util.brief import brief
from ddfast._util.moved import warn_renamed
from ddfast.errors import DdfastError, KernelError
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_OFFSETS, path_append
from ddfast.format.index import legacy_load_index, load_keys
from ddfast.format.scan import AT_ONCE
from ddfast.writer.samples import PackedSamples

WINDOW = 4 << 20
BLOCK = 4096
HEAD = 64

# Size up to which the bytes after damage are read as one sample, before it is known to be one.
LARGEST_GUESS = 256 << 20

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


class Salvage:
    """Finds the intact samples of a damaged dataset, without changing it.

    A sample is intact if it is one well-formed message, has its checksum in the checksums file, and has its key in the
    keys file, as far as these files exist. If there are offsets, each sample is checked independently of the others;
    otherwise, the next sample is searched for after each damage.

    Parameters:
        path: the data file.

    Attributes:
        lost: the parts without intact samples, complete when `chunks` is exhausted.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.size = self.path.stat().st_size
        self.lost: list[LostSamples] = []
        self._seen: set[str] = set()
        self._heads: set[bytes] = set()  # first bytes of all samples so far
        self._keys, self._offsets = self._load_index()
        self._sums = self._load_integers(SUFFIX_CHECKSUMS)
        self._known_sums = None if self._sums is None else set(self._sums.tolist())
        self._known_keys = None if self._keys is None else set(self._keys)

    def chunks(self) -> Iterator[PackedSamples]:
        """All intact samples, in order."""
        with self.path.open("rb", 0) as file:
            start = 0
            if self._offsets is not None:
                yield from self._by_offsets(file.fileno(), self._offsets)
                start = int(self._offsets[-1])
            yield from self._by_scanning(file.fileno(), start)

    def pieces(self) -> Iterator[PackedSamples]:
        """Deprecated name of `chunks`."""
        warn_renamed("Salvage.pieces", "chunks")
        return self.chunks()

    # -- what remains of the index

    def _load_index(self) -> tuple[list[str] | None, NDArray[np.uint64] | None]:
        offsets = self._load_integers(SUFFIX_OFFSETS)
        try:
            keys: list[str] | None = list(load_keys(self.path))
        except (OSError, DdfastError):
            keys = None
        if offsets is None:
            try:
                keys, starts = legacy_load_index(self.path)
                offsets = np.array(starts, np.uint64)
            except (OSError, DdfastError):
                pass
        if offsets is not None and not (
            len(offsets) and offsets[0] == 0 and (offsets[1:] > offsets[:-1]).all()
        ):
            offsets = None
        if offsets is not None and keys is not None and len(keys) < len(offsets) - 1:
            keys = None
        return keys, offsets

    def _load_integers(self, suffix: str) -> NDArray[np.uint64] | None:
        try:
            content = path_append(self.path, suffix).read_bytes()
        except OSError:
            return None
        return np.frombuffer(content, ">u8", len(content) // 8).astype(np.uint64)

    # -- samples with offsets

    def _by_offsets(self, file: int, offsets: NDArray[np.uint64]) -> Iterator[PackedSamples]:
        whole = int(np.searchsorted(offsets, self.size, "right")) - 1
        first = 0
        while first < whole:
            end = int(np.searchsorted(offsets, offsets[first] + np.uint64(WINDOW), "right")) - 1
            end = min(max(end, first + 1), whole)
            data = read_around(file, int(offsets[first]), int(offsets[end] - offsets[first]))
            yield from self._window(data, offsets[first : end + 1], first)
            first = end
        for index in range(whole, len(offsets) - 1):
            bounds = int(offsets[index]), int(offsets[index + 1])
            self.lost.append(
                LostSamples(*bounds, f"the file ends at byte {self.size:,}", index, self._key(index))
            )

    def _window(self, data: bytes, offsets: NDArray[np.uint64], first: int) -> Iterator[PackedSamples]:
        view, at, count = memoryview(data), 0, len(offsets) - 1
        while at < count:
            start = int(offsets[at] - offsets[0])
            try:
                _, keys, _ = scan_spans(view[start:], offsets[at : at + AT_ONCE + 1])
            except KernelError as error:
                bounds = int(offsets[at]), int(offsets[at + 1])
                reason = f"{error.reason}, at byte {error.pos:,} of it"
                self.lost.append(LostSamples(*bounds, reason, first + at, self._key(first + at)))
                at += 1
                continue
            stop = at + len(keys)
            size = int(offsets[stop] - offsets[at])
            yield from self._intact(view[start : start + size], offsets[at : stop + 1], keys, first + at)
            at = stop

    def _intact(
        self, data: memoryview, offsets: NDArray[np.uint64], keys: list[str | None], first: int | None
    ) -> Iterator[PackedSamples]:
        """The intact ones of well-formed samples; `first` is the index of the first sample, if it is known."""
        sizes = offsets[1:] - offsets[:-1]
        sums = checksums(data, sizes).tolist()
        chosen, names, buffers = [], [], []
        for at, own in enumerate(keys):
            index = None if first is None else first + at
            start, stop = int(offsets[at]), int(offsets[at + 1])
            key, reason = self._judge(own, sums[at], index)
            if reason is not None:
                self.lost.append(LostSamples(start, stop, reason, index, key))
                continue
            assert key is not None
            self._seen.add(key)
            chosen.append(at)
            names.append(key)
            buffers.append(data[start - int(offsets[0]) : stop - int(offsets[0])])
        if names:
            yield PackedSamples(names, sizes[chosen], list(buffers))

    def _judge(self, own: str | None, found: int, index: int | None) -> tuple[str | None, str | None]:
        """The key of a well-formed sample, and why it is lost, or None."""
        key = own if index is None else self._key(index)
        has_sum = self._sums is not None and index is not None and index < len(self._sums)
        if has_sum and found != int(self._sums[index]):  # type: ignore[index]
            return key or own, "it does not match its checksum"
        if own is not None and key != own:
            if key is not None and not has_sum:
                return key, f"it contains the key {own!r} of another sample"
            key = own
        if key is None:
            return None, "its key is unknown"
        if key in self._seen:
            return key, "an earlier sample has the same key"
        return key, None

    def _key(self, index: int) -> str | None:
        return None if self._keys is None or index >= len(self._keys) else self._keys[index]

    # -- samples without offsets

    def _by_scanning(self, file: int, start: int) -> Iterator[PackedSamples]:
        gap, reason, window = start, "", SlidingWindow(file, self.size)
        while start < self.size:
            found = self._scan(window, start, start > gap)
            if isinstance(found, str):
                reason = reason or found
                start = self._next_start(window, start + 1)
                continue
            data, offsets, keys = found
            self._heads.update(_head(data, int(at - offsets[0])) for at in offsets[:-1])
            if gap < start:
                self.lost.append(LostSamples(gap, start, reason))
            yield from self._intact(data, offsets, keys, None)
            gap = start = int(offsets[-1])
            reason = ""
        if gap < self.size:
            self.lost.append(LostSamples(gap, self.size, reason))

    def _is_inner(self, data: memoryview) -> bool:
        """Whether a map after damage may be a part of a sample: no checksum is known, and no sample begins like it."""
        return self._known_sums is None and bool(self._heads) and _head(data, 0) not in self._heads

    def _scan(
        self, window: SlidingWindow, start: int, is_guess: bool
    ) -> tuple[memoryview, NDArray[np.uint64], list[str | None]] | str:
        """Samples that start at a position, or why there are none. A guessed one is checked before those after it."""
        size, most = WINDOW, self._most(window, start) if is_guess else self.size
        while True:
            data = window.at(start, size)
            try:
                stops, keys, _ = scan_run(data, 1 if is_guess else 0)
            except KernelError as error:
                if error.code == E_TRUNCATED and len(data) < error.item <= min(most, self.size - start):
                    size = max(2 * size, error.item)
                    continue
                return "the file ends within the sample" if error.code == E_TRUNCATED else error.reason
            count = self._plausible(data, stops, keys)
            if not count or (is_guess and self._is_inner(data)):
                return "no sample of this dataset begins here"
            if is_guess:
                is_guess = False
                continue
            offsets = np.append(np.uint64(0), stops[:count]) + np.uint64(start)
            return data[: int(stops[count - 1])], offsets, keys[:count]

    def _most(self, window: SlidingWindow, start: int) -> int:
        """Maximum size of a guessed sample, according to its first bytes."""
        head = window.at(start, HEAD)
        if len(head) < 2 or (self._heads and _head(head, 0) not in self._heads):
            return 0
        return LARGEST_GUESS

    def _plausible(self, data: memoryview, stops: NDArray[np.uint64], keys: list[str | None]) -> int:
        """How many of the messages are samples, rather than values in a damaged sample."""
        for at, key in enumerate(keys):
            if key is None or (self._known_keys is not None and key not in self._known_keys):
                return at
            if self._known_sums is not None:
                start = int(stops[at - 1]) if at else 0
                size = stops[at : at + 1] - np.uint64(start)
                if int(checksums(data[start:], size)[0]) not in self._known_sums:
                    return at
        return len(keys)

    def _next_start(self, window: SlidingWindow, start: int) -> int:
        """The next position at which a sample may start; the word "key" follows."""
        word = window.find_word(start)
        if word is None:
            return self.size
        start = max(start, word - LARGEST_GUESS)
        while start < self.size:
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
        size: of the file.
    """

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self._size = size
        self._start = 0
        self._data = memoryview(b"")
        self._word: int | None = -1  # where it was found last; None if not found
        self._ahead: SlidingWindow | None = None  # searches the rest of the file

    def at(self, start: int, size: int) -> memoryview:
        """Bytes from `start` on: at least `size`, or up to the end of the file."""
        size = min(size, self._size - start)
        if not self._start <= start <= self._start + len(self._data):
            self._start, self._data = start, memoryview(b"")
        held = self._data[start - self._start :]
        if len(held) < size:
            behind = start + len(held)
            more = read_around(self._file, behind, min(max(size - len(held), WINDOW), self._size - behind))
            held = memoryview(b"".join([held, more]))
            self._start, self._data = start, held
        return held

    def find_word(self, start: int) -> int | None:
        """Position of the next word "key"; None if there is none."""
        if self._word is not None and self._word < start:
            self._word, window = None, self
            while start < self._size and self._word is None:
                data = window.at(start, len(WORD.pattern))
                found = WORD.search(data)
                self._word = start + found.start() if found else None
                start += max(1, len(data) - len(WORD.pattern) + 1)
                window = self._ahead = self._ahead or SlidingWindow(self._file, self._size)
        return self._word


def _head(data: memoryview, at: int) -> bytes:
    """The first bytes of a sample: size of the map and name of the first field, if that is short."""
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
