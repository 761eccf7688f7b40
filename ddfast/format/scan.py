"""Go through a data file message by message, without decoding: to find its samples, or to check them.

Both ways read the file once from front to back, in windows of a megabyte; only a sample that is larger than a window
is held in memory as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast._native.scan import scan_run, scan_spans
from ddfast._native.status import E_TRUNCATED
from ddfast._native.xxh3 import checksums as checksums_of
from ddfast.errors import (
    CorruptSampleError,
    DatasetChangedError,
    DuplicateKeyError,
    InvalidSampleError,
    KernelError,
    ReadError,
)

__all__ = ["Damage", "Front", "Run", "check_samples", "find_samples", "scan_checksums", "scan_index"]

WINDOW = 1 << 20

# Samples that are looked at together; where many of them are damaged, each of these begins anew.
AT_ONCE = 1024

# What a file system leaves where it lost something: zeros, by whole sectors of a disk.
ZEROS = 512


class Front(Protocol):
    """What a data file that is no file here is read from, front to back, such as `ddfast.storage.Front`.

    Attributes:
        name: what messages call it.
        size: bytes.
    """

    name: str
    size: int

    def read(self, size: int, /) -> memoryview:
        """The next bytes, up to `size` of them; nothing at the end."""

    def close(self) -> None:
        """Nothing more is read."""


OnData = Callable[[memoryview], object]
DamageKind = Literal["not well-formed", "checksum", "zeroed", "truncated"]


@dataclass(frozen=True, slots=True)
class Damage:
    """A sample that is no well-formed message, or not the one that was written.

    Parameters:
        index: of the sample.
        start: its first byte in the data file.
        position: of the damage in the data file.
        reason: what is wrong.
        kind: the same in a word. ``"checksum"`` is a well-formed message with another checksum, ``"zeroed"`` one of
            both with a long stretch of zeros, ``"truncated"`` one that the file ends within.
    """

    index: int
    start: int
    position: int
    reason: str
    kind: DamageKind = "not well-formed"


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive samples.

    Parameters:
        first: index of the first one.
        offsets: where they start in the data file, and where the last one ends; uint64, shape ``(n + 1,)``.
        keys: the string that each holds under ``"key"``; None where there is none.
        faults: why, by position in `keys`.
        damage: of the sample that follows, if it is damaged; it counts as one more.
        data: the bytes of all samples, where these were searched for; not to be kept.
    """

    first: int
    offsets: NDArray[np.uint64]
    keys: list[str | None]
    faults: dict[int, str] = field(default_factory=dict)
    damage: Damage | None = None
    data: memoryview | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.keys)


def find_samples(
    path: str | os.PathLike[str] | Front, on_data: OnData | None = None, start: int = 0
) -> Iterator[Run]:
    """Find the samples of a data file without any index.

    Parameters:
        path: the data file, or what it is read from, which is closed then.
        on_data: called with all bytes of the file from `start` on, in order and piece by piece.
        start: where in the file to begin; the sample there counts as the first.

    Yields:
        All samples. The last run tells of damage where there is any: what follows it cannot be told apart.

    Raises:
        ReadError: the file cannot be read, or was cut meanwhile.
    """
    index = 0
    with _Window(_opened(path), on_data, start) as front:
        while front.extend(1):
            try:
                stops, keys, faults = scan_run(front.data)
            except KernelError as error:
                if error.code == E_TRUNCATED and front.extend(error.item):
                    continue
                kind: DamageKind = "truncated" if error.code == E_TRUNCATED else "not well-formed"
                damage = Damage(index, start, start + error.pos, _of_file(error), kind)
                yield Run(index, np.array([start], np.uint64), [], damage=damage)
                front.pass_rest()
                return
            data = front.data[: int(stops[-1])]
            yield Run(index, np.append(np.uint64(start), stops + np.uint64(start)), keys, faults, data=data)
            front.drop(len(data))
            index, start = index + len(keys), start + int(stops[-1])


def check_samples(
    path: str | os.PathLike[str] | Front,
    offsets: NDArray[np.uint64],
    on_data: OnData | None = None,
    checksums: NDArray[np.uint64] | None = None,
) -> Iterator[Run]:
    """Check that each sample of a data file is one well-formed message, and the one that was written.

    Parameters:
        path: the data file, or what it is read from, which is closed then.
        offsets: of all samples, as `ddfast.index.load_offsets` gives them.
        on_data: called with all bytes of the file, in order and piece by piece.
        checksums: of all samples, as `ddfast.index.load_checksums` gives them; None to look at the messages only.

    Yields:
        All samples; a damaged one ends its run.

    Raises:
        ReadError: the file cannot be read, or was cut meanwhile.
    """
    for data, index, end in _windows(_opened(path), offsets, on_data):
        sums = None if checksums is None else checksums[index:end]
        yield from _check_window(data, offsets[index : end + 1], index, sums)


def scan_checksums(
    path: str | os.PathLike[str], offsets: NDArray[np.uint64], on_data: OnData | None = None
) -> NDArray[np.uint64]:
    """Checksums of all samples of a data file, as `ddfast.index.load_checksums` gives them.

    Parameters:
        path: the data file.
        offsets: of all samples, as `ddfast.index.load_offsets` gives them.
        on_data: called with all bytes of the file, in order and piece by piece.

    Raises:
        ReadError: the file cannot be read, or was cut meanwhile.
    """
    sums = [np.empty(0, np.uint64)]
    for data, index, end in _windows(_opened(path), offsets, on_data):
        sums.append(checksums_of(data, np.diff(offsets[index : end + 1])))
    return np.concatenate(sums)


def _windows(
    file: Front, offsets: NDArray[np.uint64], on_data: OnData | None
) -> Iterator[tuple[memoryview, int, int]]:
    """Some samples at a time: their bytes, and the indices of the first one and of the one behind the last."""
    index, count = 0, len(offsets) - 1
    with _Window(file, on_data) as front:
        while index < count:
            start = offsets[index]
            end = int(np.searchsorted(offsets, start + np.uint64(WINDOW), "right")) - 1
            end = min(max(end, index + 1), count)
            size = int(offsets[end] - start)
            if not front.extend(size):
                raise DatasetChangedError(f"{file.name} is shorter than its offsets say")
            yield front.data[:size], index, end
            front.drop(size)
            index = end
        front.pass_rest()


def scan_index(
    path: str | os.PathLike[str], on_data: OnData | None = None
) -> tuple[list[str], NDArray[np.uint64], NDArray[np.uint64]]:
    """What the index of a data file says: the keys of all samples, and offsets and checksums as they are loaded.

    Parameters:
        path: the data file.
        on_data: called with all bytes of the file, in order and piece by piece.

    Raises:
        CorruptSampleError: a sample is damaged.
        InvalidSampleError: a sample has no string under ``"key"``, or (`DuplicateKeyError`) that of another one.
        ReadError: the file cannot be read, or was cut meanwhile.
    """
    path = Path(path)
    seen: dict[str, None] = {}
    offsets = [np.zeros(1, np.uint64)]
    sums = [np.empty(0, np.uint64)]
    for run in find_samples(path, on_data):
        if run.damage is not None:
            _refuse_damage(path, run.damage)
        if run.faults:
            _refuse_fault(path, run, min(run.faults))
        before = len(seen)
        seen.update(dict.fromkeys(run.keys))  # type: ignore[arg-type]
        if len(seen) != before + len(run):
            _refuse_double(path, run, list(seen)[:before])
        offsets.append(run.offsets[1:])
        if run.data is not None:
            sums.append(checksums_of(run.data, np.diff(run.offsets)))
    return list(seen), np.concatenate(offsets), np.concatenate(sums)


class _File:
    """A file as a `Front`."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._file = path.open("rb", 0)
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, size: int) -> memoryview:
        try:
            return memoryview(self._file.read(min(size, WINDOW)))
        except OSError as error:
            raise ReadError(error.errno, f"{error.strerror}: cannot read it", self.name) from error

    def seek(self, position: int) -> None:
        self._file.seek(position)

    def close(self) -> None:
        self._file.close()


def _opened(path: str | os.PathLike[str] | Front) -> Front:
    return _File(Path(path)) if isinstance(path, str | os.PathLike) else path


class _Window:
    """The part of a file that is looked at: it moves from the beginning of the file to its end."""

    def __init__(self, file: Front, on_data: OnData | None, start: int = 0) -> None:
        self._file = file
        self._on_data = on_data
        self._left = file.size - start
        self.data = memoryview(b"")
        if start:
            self._go_to(start)

    def _go_to(self, start: int) -> None:
        if isinstance(self._file, _File):
            self._file.seek(start)
            return
        while start:
            start -= len(self._file.read(start))

    def __enter__(self) -> _Window:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extend(self, size: int) -> bool:
        """Have at least `size` bytes; False where the file has no more."""
        missing = size - len(self.data)
        if missing <= 0:
            return True
        if missing > self._left:
            return False
        room = min(self._left, max(missing, len(self.data), WINDOW))
        pieces = [self.data, *self._read(room)]
        self.data = memoryview(b"".join(pieces)) if self.data or len(pieces) > 2 else pieces[1]
        return True

    def drop(self, size: int) -> None:
        """Go on by so many bytes."""
        self.data = self.data[size:]

    def pass_rest(self) -> None:
        """Hand the rest of the file on without looking at it."""
        if self._on_data is not None:
            while self._left:
                self._read(min(self._left, WINDOW))

    def _read(self, size: int) -> list[memoryview]:
        pieces = []
        while size:
            piece = self._file.read(min(size, WINDOW))
            if not piece:
                raise DatasetChangedError(
                    f"{self._file.name} was cut while it was read. Restore it from a copy."
                )
            if self._on_data is not None:
                self._on_data(piece)
            pieces.append(piece)
            size -= len(piece)
            self._left -= len(piece)
        return pieces


def _check_window(
    data: memoryview, offsets: NDArray[np.uint64], first: int, sums: NDArray[np.uint64] | None
) -> Iterator[Run]:
    """Runs of samples that lie in one window."""
    at, count, base = 0, len(offsets) - 1, int(offsets[0])
    others = [count] if sums is None else [*_of_other_sum(data, offsets, sums), count]
    for other in others:  # samples with another checksum
        while at < count:
            start = int(offsets[at])
            keys: list[str | None] = []
            faults: dict[int, str] = {}
            damage = None
            try:
                stop = min(max(other, at + 1), at + AT_ONCE)
                _, keys, faults = scan_spans(data[start - base :], offsets[at : stop + 1])
            except KernelError as error:
                damage = Damage(first + at, start, start + error.pos, error.reason)
            if at == other and damage is None:
                keys, faults = [], {}
                damage = Damage(first + at, start, start, "its bytes do not have its checksum", "checksum")
            if damage is not None:
                sample = data[start - base : int(offsets[at + 1]) - base]
                damage = _with_zeros(damage, sample)
            yield Run(first + at, offsets[at : at + len(keys) + 1], keys, faults, damage)
            at += len(keys) + (damage is not None)
            if at > other:
                break


def _of_other_sum(data: memoryview, offsets: NDArray[np.uint64], sums: NDArray[np.uint64]) -> list[int]:
    found: list[int] = np.flatnonzero(checksums_of(data, np.diff(offsets)) != sums).tolist()
    return found


def _with_zeros(damage: Damage, sample: memoryview) -> Damage:
    """The same damage, with its longest stretch of zeros if that is long."""
    edges = np.flatnonzero(np.frombuffer(sample, np.uint8))
    edges = np.concatenate([[-1], edges, [len(sample)]])
    longest = int(np.argmax(np.diff(edges)))
    first, last = int(edges[longest]) + 1, int(edges[longest + 1]) - 1
    if last - first + 1 < ZEROS:
        return damage
    reason = f"{damage.reason}; bytes {first:,} to {last:,} of it are zero"
    return replace(damage, position=damage.start + first, reason=reason, kind="zeroed")


def _of_file(error: KernelError) -> str:
    return "the file ends within the sample" if error.code == E_TRUNCATED else error.reason


def _refuse_damage(path: Path, damage: Damage) -> NoReturn:
    raise CorruptSampleError(
        f"{path}: sample {damage.index} is damaged at byte {damage.position - damage.start:,} (file position "
        f"{damage.position:,}): {damage.reason}. The {damage.index:,} samples before it, {damage.start:,} bytes, are "
        "sound. Restore the data file from a copy, or write the dataset again."
    )


def _refuse_fault(path: Path, run: Run, at: int) -> NoReturn:
    raise InvalidSampleError(
        f"{path}: sample {run.first + at} (file position {int(run.offsets[at]):,}) cannot be indexed: "
        f"{run.faults[at]}. The {run.first + at:,} samples before it are sound. An index needs a unique string "
        "under 'key' in each sample: write the dataset again with keys."
    )


def _refuse_double(path: Path, run: Run, before: Sequence[str]) -> NoReturn:
    first = {key: index for index, key in enumerate(before)}
    for index, key in enumerate(run.keys, len(before)):
        assert key is not None  # see scan_index
        if first.setdefault(key, index) != index:
            raise DuplicateKeyError(
                f"{path}: sample {index} (file position {int(run.offsets[index - len(before)]):,}) has the key "
                f"{key!r} of sample {first[key]}. The {index:,} samples before it are sound. Keys must be unique: "
                "write the dataset again with longer keys, or without one of the two."
            )
    raise AssertionError("no two keys are equal")
