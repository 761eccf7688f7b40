"""Scan a data file message by message, without decoding, to find its samples or to check them.

Both read the file once from start to end, in windows of 1 MiB; only a sample that is larger than a window is held in
memory as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from ddfast._native.scan import scan_run, scan_spans
from ddfast._native.status import E_TRUNCATED
from ddfast._native.xxh3 import checksums as checksums_of
from ddfast._util.brief import brief
from ddfast.errors import (
    CorruptSampleError,
    DatasetChangedError,
    DuplicateKeyError,
    InvalidSampleError,
    KernelError,
)
from ddfast.format.window import OnData, SequentialFile, Window

__all__ = ["Damage", "Run", "SequentialFile", "check_samples", "find_samples", "scan_checksums", "scan_index"]

# Samples in one call of the kernel, which stops at each damaged one: bounds the work where many samples are damaged.
AT_ONCE = 1024

# Lost data of a file system is zeros, in whole sectors of the disk.
ZEROS = 512

DamageKind = Literal["not well-formed", "checksum", "zeroed", "truncated"]


@dataclass(frozen=True, slots=True)
class Damage:
    """A sample that is not a well-formed message, or not the one that was written.

    Parameters:
        index: of the sample.
        start: position of its first byte in the data file.
        position: of the damage in the data file.
        reason: what is wrong.
        kind: ``"not well-formed"``; ``"checksum"`` for a well-formed message with a wrong checksum; ``"zeroed"`` for
            either of them with many consecutive zeros; ``"truncated"`` if the file ends within the sample.
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
        first: index of the first sample.
        offsets: positions in the data file: start of each sample and end of the last; uint64, shape ``(n + 1,)``.
        keys: the string under ``"key"`` of each sample, or None.
        faults: why a key is None, by position in `keys`.
        damage: of the next sample, if it is damaged; that sample also has an index.
        data: the bytes of all samples, only from `find_samples`; valid until the next run.
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
    path: str | os.PathLike[str] | SequentialFile, on_data: OnData | None = None, start: int = 0
) -> Iterator[Run]:
    """Find the samples of a data file without an index.

    Parameters:
        path: the data file, or an open file, which is closed at the end.
        on_data: called with all bytes of the file from `start` on, in order and piece by piece.
        start: position of the first sample in the file.

    Yields:
        All samples up to the first damaged one, which the last run reports: samples after it cannot be found.

    Raises:
        ReadError: the file cannot be read, or was truncated meanwhile.
    """
    index = 0
    with Window(path, on_data, start) as window:
        while window.extend(1):
            try:
                stops, keys, faults = scan_run(window.data)
            except KernelError as error:
                if error.code == E_TRUNCATED and window.extend(error.item):
                    continue
                kind: DamageKind = "truncated" if error.code == E_TRUNCATED else "not well-formed"
                damage = Damage(index, start, start + error.pos, _of_file(error), kind)
                yield Run(index, np.array([start], np.uint64), [], damage=damage)
                window.read_rest()
                return
            data = window.data[: int(stops[-1])]
            yield Run(index, np.append(np.uint64(start), stops + np.uint64(start)), keys, faults, data=data)
            window.drop(len(data))
            index, start = index + len(keys), start + int(stops[-1])


def check_samples(
    path: str | os.PathLike[str] | SequentialFile,
    offsets: NDArray[np.uint64],
    on_data: OnData | None = None,
    checksums: NDArray[np.uint64] | None = None,
) -> Iterator[Run]:
    """Check that each sample of a data file is one well-formed message with the right checksum.

    Parameters:
        path: the data file, or an open file, which is closed at the end.
        offsets: of all samples, as `ddfast.index.load_offsets` gives them.
        on_data: called with all bytes of the file, in order and piece by piece.
        checksums: of all samples, as `ddfast.index.load_checksums` gives them; None to check the messages only.

    Yields:
        All samples; a run ends at a damaged one.

    Raises:
        ReadError: the file cannot be read, or was truncated meanwhile.
    """
    for data, index, end in _windows(path, offsets, on_data):
        sums = None if checksums is None else checksums[index:end]
        yield from _check_window(data, offsets[index : end + 1], index, sums)


def scan_checksums(
    path: str | os.PathLike[str] | SequentialFile, offsets: NDArray[np.uint64], on_data: OnData | None = None
) -> NDArray[np.uint64]:
    """Checksums of all samples of a data file, as `ddfast.index.load_checksums` gives them.

    Parameters:
        path: the data file, or an open file, which is closed at the end.
        offsets: of all samples, as `ddfast.index.load_offsets` gives them.
        on_data: called with all bytes of the file, in order and piece by piece.

    Raises:
        ReadError: the file cannot be read, or was truncated meanwhile.
    """
    sums = [np.empty(0, np.uint64)]
    for data, index, end in _windows(path, offsets, on_data):
        sums.append(checksums_of(data, np.diff(offsets[index : end + 1])))
    return np.concatenate(sums)


def _windows(
    path: str | os.PathLike[str] | SequentialFile, offsets: NDArray[np.uint64], on_data: OnData | None
) -> Iterator[tuple[memoryview, int, int]]:
    """About a window of samples at a time: their bytes, and their indices ``[start, stop)``."""
    index, count = 0, len(offsets) - 1
    with Window(path, on_data) as window:
        while index < count:
            start = offsets[index]
            end = int(np.searchsorted(offsets, start + np.uint64(Window.SIZE), "right")) - 1
            end = min(max(end, index + 1), count)
            size = int(offsets[end] - start)
            if not window.extend(size):
                raise DatasetChangedError(
                    f"{window.name} is shorter than its offsets say. Restore it from a copy, or run `ddfast recover`"
                )
            yield window.data[:size], index, end
            window.drop(size)
            index = end
        window.read_rest()


def scan_index(
    path: str | os.PathLike[str] | SequentialFile, on_data: OnData | None = None
) -> tuple[list[str], NDArray[np.uint64], NDArray[np.uint64]]:
    """The index of a data file, made from its samples: keys, offsets and checksums.

    Parameters:
        path: the data file, or an open file, which is closed at the end.
        on_data: called with all bytes of the file, in order and piece by piece.

    Raises:
        CorruptSampleError: a sample is damaged.
        InvalidSampleError: a sample has no string under ``"key"``.
        DuplicateKeyError: two samples have the same key.
        ReadError: the file cannot be read, or was truncated meanwhile.
    """
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else path.name
    seen: dict[str, None] = {}
    offsets = [np.zeros(1, np.uint64)]
    sums = [np.empty(0, np.uint64)]
    for run in find_samples(path, on_data):
        if run.damage is not None:
            _refuse_damage(name, run.damage)
        if run.faults:
            _refuse_fault(name, run, min(run.faults))
        before = len(seen)
        seen.update(dict.fromkeys(run.keys))  # type: ignore[arg-type]
        if len(seen) != before + len(run):
            _refuse_double(name, run, list(seen)[:before])
        offsets.append(run.offsets[1:])
        if run.data is not None:
            sums.append(checksums_of(run.data, np.diff(run.offsets)))
    return list(seen), np.concatenate(offsets), np.concatenate(sums)


def _check_window(
    data: memoryview, offsets: NDArray[np.uint64], first: int, sums: NDArray[np.uint64] | None
) -> Iterator[Run]:
    """Runs of the samples in a window."""
    at, count, base = 0, len(offsets) - 1, int(offsets[0])
    wrong = [] if sums is None else _wrong_sums(data, offsets, sums)
    for other in [*wrong, count]:
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
                damage = Damage(first + at, start, start, "its bytes do not match its checksum", "checksum")
            if damage is not None:
                sample = data[start - base : int(offsets[at + 1]) - base]
                damage = _with_zeros(damage, sample)
            yield Run(first + at, offsets[at : at + len(keys) + 1], keys, faults, damage)
            at += len(keys) + (damage is not None)
            if at > other:
                break


def _wrong_sums(data: memoryview, offsets: NDArray[np.uint64], sums: NDArray[np.uint64]) -> list[int]:
    found: list[int] = np.flatnonzero(checksums_of(data, np.diff(offsets)) != sums).tolist()
    return found


def _with_zeros(damage: Damage, sample: memoryview) -> Damage:
    """The same damage, with the most consecutive zeros of the sample if they fill a sector."""
    edges = np.flatnonzero(np.frombuffer(sample, np.uint8))
    edges = np.concatenate([[-1], edges, [len(sample)]])
    longest = int(np.argmax(np.diff(edges)))
    first, last = int(edges[longest]) + 1, int(edges[longest + 1]) - 1
    if last - first + 1 < ZEROS:
        return damage
    reason = f"{damage.reason}; bytes {first:,} to {last:,} of it are zeros"
    return replace(damage, position=damage.start + first, reason=reason, kind="zeroed")


def _of_file(error: KernelError) -> str:
    return "the file ends within the sample" if error.code == E_TRUNCATED else error.reason


def _refuse_damage(name: str, damage: Damage) -> NoReturn:
    raise CorruptSampleError(
        f"{name}: sample {damage.index} is damaged at byte {damage.position - damage.start:,} (file position "
        f"{damage.position:,}): {damage.reason}. The {damage.index:,} samples before it, {damage.start:,} bytes, are "
        "intact. Restore the data file from a copy, or write the dataset again."
    )


def _refuse_fault(name: str, run: Run, at: int) -> NoReturn:
    raise InvalidSampleError(
        f"{name}: sample {run.first + at} (file position {int(run.offsets[at]):,}) cannot be indexed: "
        f"{run.faults[at]}. The {run.first + at:,} samples before it are intact. Each sample needs a unique "
        "string under 'key': write the dataset again with keys."
    )


def _refuse_double(name: str, run: Run, before: Sequence[str]) -> NoReturn:
    first = {key: index for index, key in enumerate(before)}
    for index, key in enumerate(run.keys, len(before)):
        assert key is not None  # see scan_index
        if first.setdefault(key, index) != index:
            raise DuplicateKeyError(
                f"{name}: sample {index} (file position {int(run.offsets[index - len(before)]):,}) has the key "
                f"{brief(key)} of sample {first[key]}. The {index:,} samples before it are intact. Keys must be "
                "unique: write the dataset again with longer keys, or without one of these samples."
            )
    raise AssertionError("no two keys are equal")
