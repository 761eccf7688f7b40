"""The intact samples of a damaged dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ddfast._native.scan import scan_spans
from ddfast._native.xxh3 import checksums
from ddfast._util.moved import warn_renamed
from ddfast._util.paths import absolute
from ddfast.errors import DdfastError, KernelError
from ddfast.format.digests import load_digests
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_OFFSETS, open_file, path_append
from ddfast.format.index import legacy_load_index, load_key_hashes, load_keys
from ddfast.format.scan import AT_ONCE
from ddfast.recovery.search import WINDOW, Known, LostSamples, Search, read_around
from ddfast.tools import hash_md5hex, hash_string
from ddfast.writer.samples import PackedSamples

__all__ = ["LostSamples", "Salvage"]


class Salvage:
    """Finds the intact samples of a damaged dataset, without changing it.

    A sample is intact if it is one well-formed message, has its checksum in the checksums file, and has its key in the
    keys file, as far as these files exist. Each of these files may be damaged, too:

    - Where samples do not agree with the offsets, the bytes up to the next one that does are searched for samples,
      which are recognized by checksums and keys. Without usable offsets, the whole file is searched.
    - If the MD5 file says that the data file is intact, its samples need not match their checksums.
    - If a key in the keys file is not the key in the sample, the key hashes tell which one is right.

    Parameters:
        path: the data file.

    Attributes:
        lost: the parts without intact samples, complete when `chunks` is exhausted.
        listed: number of samples according to the index files; None if none is usable.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(absolute(path))
        self.lost: list[LostSamples] = []
        self._doubtful: list[LostSamples] = []  # consecutive samples that do not agree with the index
        self._seen: set[str] = set()
        with open_file(self.path) as file:
            self.size = os.fstat(file.fileno()).st_size
        self._keys, self._offsets = self._load_index()
        self._sums = self._load_integers(SUFFIX_CHECKSUMS)
        self._hashes = self._load_hashes()
        self._known = Known(
            keys=None if self._keys is None else set(self._keys),
            sums=None if self._sums is None else set(self._sums.tolist()),
        )
        self.listed = next((len(found) for found in (self._keys, self._sums) if found is not None), None)
        if self._offsets is not None and self._keys is None:
            self.listed = len(self._offsets) - 1

    def chunks(self) -> Iterator[PackedSamples]:
        """All intact samples, in order."""
        with open_file(self.path) as file:
            search = Search(file.fileno(), self.size, self._known)
            if self._offsets is None:
                yield from self._by_search(search, 0, self.size)
            else:
                yield from self._by_offsets(file.fileno(), self._offsets, search)

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
            with open_file(path_append(self.path, suffix)) as file:
                content = file.readall()
        except OSError:
            return None
        return np.frombuffer(content, ">u8", len(content) // 8).astype(np.uint64)

    def _load_hashes(self) -> tuple[bytes, NDArray[np.uint64]] | None:
        try:
            return load_key_hashes(self.path)
        except (OSError, DdfastError):
            return None

    @cached_property
    def _data_is_whole(self) -> bool:
        """Whether the data file has the digest in the MD5 file."""
        try:
            return load_digests(self.path).get("") == hash_md5hex(self.path)
        except (OSError, DdfastError):
            return False

    # -- samples with offsets

    def _by_offsets(self, file: int, offsets: NDArray[np.uint64], search: Search) -> Iterator[PackedSamples]:
        whole = int(np.searchsorted(offsets, self.size, "right")) - 1
        first = 0
        while first < whole:
            end = int(np.searchsorted(offsets, offsets[first] + np.uint64(WINDOW), "right")) - 1
            end = min(max(end, first + 1), whole)
            data = read_around(file, int(offsets[first]), int(offsets[end] - offsets[first]))
            yield from self._window(data, offsets[first : end + 1], first, search)
            first = end
        for index in range(whole, len(offsets) - 1):
            bounds = int(offsets[index]), int(offsets[index + 1])
            self._doubt(*bounds, f"the file ends at byte {self.size:,}", index, self._key(index))
        yield from self._settle(search, int(offsets[whole]), self.size)

    def _window(
        self, data: bytes, offsets: NDArray[np.uint64], first: int, search: Search
    ) -> Iterator[PackedSamples]:
        view, at, count = memoryview(data), 0, len(offsets) - 1
        while at < count:
            start = int(offsets[at] - offsets[0])
            try:
                _, keys, _ = scan_spans(view[start:], offsets[at : at + AT_ONCE + 1])
            except KernelError as error:
                bounds = int(offsets[at]), int(offsets[at + 1])
                reason = f"{error.reason}, at byte {error.pos:,} of it"
                self._doubt(*bounds, reason, first + at, self._key(first + at))
                at += 1
                continue
            stop = at + len(keys)
            size = int(offsets[stop] - offsets[at])
            part = view[start : start + size]
            yield from self._agreeing(part, offsets[at : stop + 1], keys, first + at, search)
            at = stop

    def _agreeing(
        self,
        data: memoryview,
        offsets: NDArray[np.uint64],
        keys: list[str | None],
        first: int,
        search: Search,
    ) -> Iterator[PackedSamples]:
        """The intact ones of well-formed samples, of which `first` is the first, and those found between them."""
        self._known.add_heads(data, offsets)
        sums = checksums(data, np.diff(offsets)).tolist()
        run = 0  # where the intact samples begin that are not delivered yet
        names: list[str] = []
        for at, own in enumerate(keys):
            start, stop = int(offsets[at]), int(offsets[at + 1])
            key, reason = self._judge(own, sums[at], first + at)
            if reason is not None:
                yield from _packed(data, offsets, run, names)
                run, names = at + 1, []
                self._doubt(start, stop, reason, first + at, key)
                continue
            assert key is not None
            if self._doubtful:
                yield from self._settle(search, self._doubtful[0].start, start)
                if key in self._seen:
                    self.lost.append(LostSamples(start, stop, DOUBLE, first + at, key))
                    run = at + 1
                    continue
            self._seen.add(key)
            names.append(key)
        yield from _packed(data, offsets, run, names)

    def _judge(self, own: str | None, found: int, index: int) -> tuple[str | None, str | None]:
        """The key of a well-formed sample, and why it is lost, or None."""
        key = self._key(index)
        has_sum = self._sums is not None and index < len(self._sums)
        if has_sum and found != int(self._sums[index]):  # type: ignore[index]
            # After a doubtful sample, the offset is in doubt, too: bytes of an intact file that are some message.
            is_other = bool(self._doubtful) and own != key
            if is_other or not self._data_is_whole:
                return key or own, "it does not match its checksum"
        if own is not None and key != own:
            if key is not None and not (has_sum or self._is_hashed(own, index)):
                return key, f"it contains the key {own!r} of another sample"
            key = own
        if key is None:
            return None, "its key is unknown"
        return key, DOUBLE if key in self._seen else None

    def _key(self, index: int) -> str | None:
        return None if self._keys is None or index >= len(self._keys) else self._keys[index]

    def _is_hashed(self, key: str, index: int) -> bool:
        """Whether the key hashes have this key for a sample."""
        if self._hashes is None or index >= len(self._hashes[1]):
            return False
        return hash_string(key, self._hashes[0]) == int(self._hashes[1][index])

    # -- samples that do not agree with the index

    def _doubt(self, start: int, stop: int, reason: str, index: int, key: str | None) -> None:
        self._doubtful.append(LostSamples(start, stop, reason, index, key))

    def _settle(self, search: Search, start: int, stop: int) -> Iterator[PackedSamples]:
        """Search the bytes of doubtful samples for samples with other offsets. What is not found is lost."""
        doubtful, self._doubtful = self._doubtful, []
        start = min(start, doubtful[0].start) if doubtful else start
        if self._known.keys is None and self._known.sums is None and doubtful:
            self.lost += doubtful
            start = max(doubtful[-1].stop, start)
            doubtful = []
        before = len(self.lost)
        found: set[str] = set()
        for chunk in self._by_search(search, start, stop):
            found.update(chunk.keys)
            yield chunk
        stretches = self.lost[before:]
        if doubtful and (not found or all(each.key is not None for each in doubtful)):
            self.lost[before:] = [each for each in doubtful if each.key not in found]
        else:
            self.lost[before:] = stretches

    def _by_search(self, search: Search, start: int, stop: int) -> Iterator[PackedSamples]:
        """The intact samples in a part of the file, found without offsets."""
        for data, offsets, keys in search.samples(start, stop, self.lost):
            run = 0
            names: list[str] = []
            for at, key in enumerate(keys):
                assert key is not None  # a sample that the search finds has a key
                if key in self._seen:
                    yield from _packed(data, offsets, run, names)
                    run, names = at + 1, []
                    self.lost.append(LostSamples(int(offsets[at]), int(offsets[at + 1]), DOUBLE, None, key))
                    continue
                self._seen.add(key)
                names.append(key)
            yield from _packed(data, offsets, run, names)


DOUBLE = "an earlier sample has the same key"


def _packed(
    data: memoryview, offsets: NDArray[np.uint64], first: int, names: list[str]
) -> Iterator[PackedSamples]:
    """Consecutive samples from `first` on, unless there are none."""
    if names:
        bounds = offsets[first : first + len(names) + 1]
        at = (bounds - offsets[0]).tolist()
        yield PackedSamples(names, np.diff(bounds), [data[a:b] for a, b in pairwise(at)])
