"""The journal of an unfinished dataset: the lock of its writer, the samples written so far, and when it is complete.

The journal ``.NAME.journal`` exists next to the data file as long as the writer does. A header of 64 bytes names the
format and the process of the writer. Records follow: length and XXH3-64 of the payload, big-endian uint64 each, and
the payload, a msgpack array:

- ``["samples", keys, sizes, checksums]``: samples that are about to be appended to the draft. The record is written
  before the samples, so the journal lists every sample of the draft; the checksum of a listed sample shows whether it
  is in the draft.
- ``["kept", count]``: the draft was truncated to its first `count` samples.
- ``["complete", suffixes, data, replaces, name]``: all files are on the disk and are about to be renamed.
- ``["named"]``: all files are renamed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from ddfast.format.files import SUFFIXES
from ddfast.format.lock import OWNER_BYTES, close_locked, open_locked

MAGIC = b"ddfast journal 1\n"
HEADER_BYTES = OWNER_BYTES
FRAME = struct.Struct(">QQ")
LARGEST = (1 << 63) - 1  # size of a file


@dataclass(frozen=True, slots=True)
class Publication:
    """The files of a complete dataset that are to be renamed.

    Parameters:
        suffixes: of the index files.
        data: whether the data file is one of the files.
        replaces: whether a data file with the final name exists.
        name: of the dataset, relative to the folder of its data file.
    """

    suffixes: tuple[str, ...]
    data: bool
    replaces: bool
    name: str


@dataclass(slots=True)
class JournalState:
    """The result of all records of a journal.

    Attributes:
        keys: of all samples.
        sizes: bytes of each sample.
        sums: XXH3-64 of each sample.
        size: bytes of all samples.
        publication: the files to rename if the dataset is complete.
        end: position after the last intact record.
        damaged: whether more than one incomplete record follows.
    """

    keys: list[str] = dataclasses.field(default_factory=list)
    sizes: array[int] = dataclasses.field(default_factory=lambda: array("Q"))
    sums: array[int] = dataclasses.field(default_factory=lambda: array("Q"))
    size: int = 0
    publication: Publication | None = None
    end: int = 0
    damaged: bool = False

    def apply(self, record: Any) -> None:
        """Apply the next record.

        Raises:
            ValueError, TypeError: it is not a valid record.
        """
        if not isinstance(record, list) or not record:
            raise ValueError("no list that begins with a kind")
        kind, *values = record
        if kind == "samples":
            self._add_samples(*values)
        elif kind == "kept":
            (count,) = values
            if type(count) is not int or not 0 <= count <= len(self.keys):
                raise ValueError("not a number of samples")
            self.size -= sum(self.sizes[count:])
            del self.keys[count:], self.sizes[count:], self.sums[count:]
        elif kind == "complete":
            suffixes, data, replaces, name = values
            if type(suffixes) is not list or set(suffixes) - set(SUFFIXES) or type(name) is not str:
                raise ValueError("unknown files")
            self.publication = Publication(tuple(suffixes), bool(data), bool(replaces), name)
        elif values or kind != "named":
            raise ValueError("unknown kind of record")
        else:
            self.publication = None

    def _add_samples(self, keys: list[str], sizes: bytes, sums: bytes) -> None:
        if type(keys) is not list or type(sizes) is not bytes or type(sums) is not bytes:
            raise TypeError("invalid samples")
        if not len(keys) * 8 == len(sizes) == len(sums) or set(map(type, keys)) - {str}:
            raise ValueError("invalid samples")
        more = np.frombuffer(sizes, ">u8").tolist()
        if self.size + sum(more) > LARGEST:
            raise ValueError("samples larger than any file")
        self.size += sum(more)
        self.keys += keys
        self.sizes.extend(more)
        self.sums.extend(np.frombuffer(sums, ">u8").tolist())


class Journal:
    """An open journal, locked against all other writers.

    Parameters:
        path: of the journal.
        create: create the journal if it does not exist.
        mode: of a new journal, without the bits of the umask.

    Raises:
        DatasetBusyError: another writer has locked it.
        OSError: it cannot be opened, or is not a regular file.
    """

    def __init__(self, path: Path, create: bool = True, mode: int = 0o666) -> None:
        self.path = path
        self._file = open_locked(path, create, mode)
        os.lseek(self._file, 0, os.SEEK_END)

    def read(self) -> JournalState:
        """The state after all records so far."""
        return parse(_content(self._file))

    @property
    def is_open(self) -> bool:
        """Whether the lock is held."""
        return self._file >= 0

    def begin(self) -> None:
        """Remove all records."""
        os.ftruncate(self._file, 0)
        self.write_header()

    def write_header(self) -> None:
        """Record which process writes."""
        header = MAGIC + f"written by process {os.getpid()}".encode()
        os.pwrite(self._file, header.ljust(HEADER_BYTES - 1) + b"\n", 0)
        os.lseek(self._file, 0, os.SEEK_END)

    def truncate(self, end: int) -> None:
        """Remove everything after a position, and append there."""
        os.ftruncate(self._file, end)
        os.lseek(self._file, 0, os.SEEK_END)

    def add(self, kind: str, *values: Any) -> None:
        """Append a record."""
        payload = msgpack.packb([kind, *values])
        rest = memoryview(FRAME.pack(len(payload), xxh3_64_intdigest(payload)) + payload)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def add_samples(self, keys: Sequence[str], sizes: NDArray[np.uint64], sums: NDArray[np.uint64]) -> None:
        """Record samples that are about to be written."""
        self.add("samples", keys, sizes.astype(">u8").tobytes(), sums.astype(">u8").tobytes())

    def sync(self) -> None:
        """Flush all records to the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Release the lock. Does nothing the second time."""
        if self._file >= 0:
            close_locked(self._file)
            self._file = -1

    def close_in_child(self) -> None:
        """Close it in a forked process without releasing the lock of the parent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Remove the file and release the lock."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.close()


def parse(content: bytes) -> JournalState:
    """The state after all records in the content of a journal."""
    state = JournalState()
    if content[: len(MAGIC)] != MAGIC or len(content) < HEADER_BYTES:
        state.damaged = len(content) >= HEADER_BYTES
        return state
    state.end = HEADER_BYTES
    view = memoryview(content)
    while state.end < len(content):
        start = state.end + FRAME.size
        if start > len(content):
            break
        size, expected = FRAME.unpack_from(content, state.end)
        if size > len(content) - start:
            break
        try:
            if xxh3_64_intdigest(view[start : start + size]) != expected:
                raise ValueError("wrong checksum")
            state.apply(msgpack.unpackb(view[start : start + size]))
        except (ValueError, TypeError, msgpack.UnpackException):
            state.damaged = True
            break
        state.end = start + size
    return state


def _content(file: int) -> bytes:
    size = os.fstat(file).st_size
    parts = []
    at = 0
    while at < size:
        part = os.pread(file, size - at, at)
        if not part:
            break
        parts.append(part)
        at += len(part)
    return b"".join(parts)
