"""The journal of a dataset in the making: lock on its name, record of its samples, and mark that it is complete.

It lies beside the data file as ``.NAME.journal`` from the first moment of a writer to its last. A header of 64 bytes
names the format and the writer's process. Entries follow: length and XXH3-64 of the payload, big-endian uint64 each,
and the payload, a msgpack array:

- ``["samples", keys, sizes, checksums]``: samples that are about to be appended to the draft. The entry comes first, so
  a draft holds no sample that the journal does not know; one that it should hold and does not is told by its checksum.
- ``["kept", count]``: the draft was cut, and only the first so many samples are left.
- ``["complete", suffixes, data, replaces, name]``: all files are on the disk and are about to take their names.
- ``["named"]``: they have them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
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

from ddfast._native.xxh3 import checksum
from ddfast.errors import DatasetBusyError, UnfinishedDatasetError
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_LEGACY_INDEX, SUFFIX_OFFSETS, SUFFIXES, path_append

MAGIC = b"ddfast journal 1\n"
HEADER_BYTES = 64
FRAME = struct.Struct(">QQ")

# File systems without locks: writers go on without the promise that a second one is refused.
NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
TRIES = 100


@dataclass(frozen=True, slots=True)
class Complete:
    """What the files of a complete dataset are.

    Parameters:
        suffixes: of the index files.
        data: whether there is a data file among them.
        replaces: whether there was a data file under the name.
        name: of the dataset, as seen from the folder of its data file.
    """

    suffixes: tuple[str, ...]
    data: bool
    replaces: bool
    name: str


@dataclass(slots=True)
class Story:
    """What a journal tells.

    Attributes:
        keys: of all samples.
        sizes: bytes of each.
        sums: XXH3-64 of each.
        complete: where the dataset is complete, what its files are.
        end: where the sound part of the journal ends.
        damaged: whether there is more behind it than a last entry that was cut off.
    """

    keys: list[str] = dataclasses.field(default_factory=list)
    sizes: array[int] = dataclasses.field(default_factory=lambda: array("Q"))
    sums: array[int] = dataclasses.field(default_factory=lambda: array("Q"))
    complete: Complete | None = None
    end: int = 0
    damaged: bool = False

    def take(self, entry: Any) -> None:
        """Go on by an entry. Raises ValueError, TypeError or KeyError where it is none."""
        kind, *values = entry
        if kind == "samples":
            keys, sizes, sums = values
            if not len(keys) * 8 == len(sizes) == len(sums) or set(map(type, keys)) - {str}:
                raise ValueError("no samples")
            self.keys += keys
            self.sizes.extend(np.frombuffer(sizes, ">u8").tolist())
            self.sums.extend(np.frombuffer(sums, ">u8").tolist())
        elif kind == "kept":
            del self.keys[values[0] :], self.sizes[values[0] :], self.sums[values[0] :]
        elif kind == "complete":
            suffixes, data, replaces, name = values
            if set(suffixes) - set(SUFFIXES):
                raise ValueError("other files")
            self.complete = Complete(tuple(suffixes), bool(data), bool(replaces), str(name))
        elif kind == "named":
            self.complete = None
        else:
            raise ValueError("an entry of another kind")


class Journal:
    """An open journal, locked against all other writers.

    Parameters:
        path: of the journal.
        create: make it if there is none.

    Raises:
        DatasetBusyError: another writer has it.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        self._file = _open_locked(path, create)
        os.lseek(self._file, 0, os.SEEK_END)

    def read(self) -> Story:
        """What it tells so far."""
        return parse(_content(self._file))

    @property
    def is_open(self) -> bool:
        """Whether the lock is held."""
        return self._file >= 0

    def begin(self) -> None:
        """Forget everything."""
        os.ftruncate(self._file, 0)
        self.sign()

    def sign(self) -> None:
        """Note which process writes."""
        header = MAGIC + f"written by process {os.getpid()}".encode()
        os.pwrite(self._file, header.ljust(HEADER_BYTES - 1) + b"\n", 0)
        os.lseek(self._file, 0, os.SEEK_END)

    def cut(self, end: int) -> None:
        """Drop what follows a position, and go on there."""
        os.ftruncate(self._file, end)
        os.lseek(self._file, 0, os.SEEK_END)

    def add(self, kind: str, *values: Any) -> None:
        """Append an entry."""
        payload = msgpack.packb([kind, *values])
        rest = memoryview(FRAME.pack(len(payload), checksum(payload)) + payload)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def add_samples(self, keys: Sequence[str], sizes: NDArray[np.uint64], sums: NDArray[np.uint64]) -> None:
        """Note samples that are about to be written."""
        self.add("samples", keys, sizes.astype(">u8").tobytes(), sums.astype(">u8").tobytes())

    def sync(self) -> None:
        """Wait until it would survive a power cut."""
        os.fsync(self._file)

    def close(self) -> None:
        """Let other writers have it. Nothing happens the second time."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)  # child processes may have it open, too
            os.close(self._file)
            self._file = -1

    def forget(self) -> None:
        """Close it in a child process; its parent keeps the lock, and nobody else does where that dies."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def remove(self) -> None:
        """Remove it, and with it the lock."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.close()


def neighbour(path: Path, suffix: str) -> Path:
    """The hidden name of a file that lies beside another one until that is complete."""
    name = path.name
    if len(os.fsencode(name)) > 200:  # file systems allow 255
        name = f"{name[:32]}-{checksum(os.fsencode(name)):016x}"
    return path.with_name(f".{name}{suffix}")


def real_path(path: Path) -> Path:
    """The data file itself, where a dataset's name is a symbolic link."""
    return Path(os.path.realpath(path))


def journal_path(path: Path) -> Path:
    """Where the journal of a dataset is."""
    return neighbour(real_path(path), ".journal")


def draft_path(path: Path) -> Path:
    """Where the data file of a dataset is until it is complete."""
    return neighbour(real_path(path), ".draft")


def name_in_journal(path: Path) -> str:
    """The name of a dataset as seen from its data file."""
    return os.path.relpath(path, real_path(path).parent)


def parse(content: bytes) -> Story:
    """What the bytes of a journal tell."""
    story = Story()
    if content[: len(MAGIC)] != MAGIC or len(content) < HEADER_BYTES:
        story.damaged = len(content) >= HEADER_BYTES
        return story
    story.end = HEADER_BYTES
    view = memoryview(content)
    while story.end < len(content):
        start = story.end + FRAME.size
        if start > len(content):
            break
        size, expected = FRAME.unpack_from(content, story.end)
        if size > len(content) - start:
            break
        try:
            if checksum(view[start : start + size]) != expected:
                raise ValueError("another checksum")
            story.take(msgpack.unpackb(view[start : start + size]))
        except (ValueError, TypeError, msgpack.UnpackException):
            story.damaged = True
            break
        story.end = start + size
    return story


Step = tuple[Path | None, Path]


def steps(path: Path, what: Complete) -> list[Step]:
    """In which order files take their names, so that nobody ever sees data beside the offsets of another dataset.

    A reader needs data and offsets. Old offsets go first and the new ones come last, so in between there is no
    dataset; one that is new under its name appears with its data file, when all else is there.

    Returns:
        Old and new name of each file; None for the old one of a file that goes.
    """
    draft = neighbour(path, ".draft")
    data: list[Step] = [(draft_path(path), real_path(path))] if what.data else []
    last = [(path_append(draft, SUFFIX_OFFSETS), path_append(path, SUFFIX_OFFSETS))]
    others = [suffix for suffix in what.suffixes if suffix != SUFFIX_OFFSETS]
    gone = []
    if what.data:
        gone.append(SUFFIX_LEGACY_INDEX)
    if what.replaces or not what.data:
        gone.append(SUFFIX_OFFSETS)
    if what.data and SUFFIX_CHECKSUMS not in others:
        gone.append(SUFFIX_CHECKSUMS)
    return [
        *((None, path_append(path, suffix)) for suffix in gone),
        *((path_append(draft, suffix), path_append(path, suffix)) for suffix in others),
        *([*data, *last] if what.replaces else [*last, *data]),
    ]


def take_names(path: Path, what: Complete) -> None:
    """Give all files their names; those that have them already keep them."""
    todo = steps(path, what)
    done = {final for draft, final in todo if draft is not None and not draft.exists()}
    for draft, final in todo:
        if final in done:
            continue
        if draft is None:
            final.unlink(missing_ok=True)
        else:
            draft.replace(final)
    for folder in {final.parent for _, final in todo}:
        sync(folder)


def finish(path: Path, journal: Journal) -> bool:
    """Do what is left to do of a dataset whose writer died while its files took their names.

    Parameters:
        path: of the dataset.
        journal: its journal.

    Returns:
        Whether there was one.

    Raises:
        UnfinishedDatasetError: it was written by another name, or its files cannot be renamed.
    """
    what = journal.read().complete
    if what is None:
        return False
    if what.name != name_in_journal(path):
        where = real_path(path).parent / what.name
        raise UnfinishedDatasetError(
            f"{path}: its writer died while the files took their names, and knew it as {where}. "
            f"`ddfast recover {where}` finishes that"
        )
    try:
        take_names(path, what)
    except OSError as error:
        raise _unfinished(path, error) from error
    journal.add("named")
    return True


def hint_of_draft(path: Path) -> str:
    """What to tell somebody who finds no dataset where a writer has begun one; empty where there is no draft."""
    if not draft_path(path).exists():
        return ""
    return (
        "A writer has begun it: wait until that is done; or if it was stopped, "
        f"`ddfast recover {path}` makes a dataset of what it has written"
    )


def finish_for_reader(path: Path) -> bool:
    """As `finish`, for somebody who only wants to read and finds no dataset.

    Returns:
        Whether it is worth while to look again.

    Raises:
        UnfinishedDatasetError: there is something to finish, and this process may not.
    """
    name = journal_path(path)
    try:
        journal = Journal(name, create=False)
    except (FileNotFoundError, DatasetBusyError):
        return False
    except OSError as error:
        if error.errno not in READ_ONLY:
            return False
        if _may_be_complete(name):
            raise _unfinished(path, error) from error
        return False
    try:
        finished = finish(path, journal)
        if finished and not draft_path(path).exists():
            journal.remove()
        return finished
    finally:
        journal.close()


def _may_be_complete(journal: Path) -> bool:
    """Whether a journal that cannot be locked tells of a complete dataset."""
    try:
        return parse(journal.read_bytes()).complete is not None
    except OSError:
        return False


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unfinished(path: Path, error: OSError) -> UnfinishedDatasetError:
    return UnfinishedDatasetError(
        f"{path}: its writer died while the files took their names, and they cannot be renamed now: "
        f"{error.strerror}. Let somebody who may write there run `ddfast recover {path}`"
    )


def _open_locked(path: Path, create: bool) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    for _ in range(TRIES):
        file = os.open(path, flags, 0o666)
        try:
            _lock(file, path)
            if _is_at(file, path):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # its writer has just removed it
    raise _busy(path, b"")


def _lock(file: int, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(path, os.pread(file, HEADER_BYTES, 0)) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _busy(path: Path, header: bytes) -> DatasetBusyError:
    process = header.decode("ascii", "replace").rpartition("process ")[2].strip()
    data = path.with_name(path.name[1:].removesuffix(".journal"))
    who = f"process {process}" if process.isdecimal() else "another process"
    return DatasetBusyError(
        f"{data} is being written by {who}. Wait until that is done, or write to another file"
    )


def _content(file: int) -> bytes:
    size = os.fstat(file).st_size
    pieces = []
    at = 0
    while at < size:
        piece = os.pread(file, size - at, at)
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)
