"""Blocks of remote objects as files of one directory, which are checked whenever they are read.

A block is a file ``<32 hex digits>.block``; the digits are a hash of all that its bytes depend on (`BlockAddress`), so
names contain no secrets and cannot collide. The file contains, in the byte order of the machine:

    8 bytes           XXH3-64 of the sums, seeded with the address, which detects a block with a wrong name
    8 bytes per page  XXH3-64 of each page of 16 KiB; the last page may be shorter
    the bytes         up to the end of the object

A read touches only the pages that it needs. While it is written, a block has the name ``<32 hex digits>.<16 random
digits>.part`` and its full size, and it is renamed when it is complete. Files are never flushed: those that a killed
process or a power failure leaves incomplete do not have the correct sums.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from xxhash import xxh3_64, xxh3_64_intdigest

__all__ = [
    "FILE_NAME",
    "PAGE_BYTES",
    "Block",
    "BlockAddress",
    "BlockPart",
    "complete_block",
    "footprint",
    "load_block",
    "reserve_block",
]

PAGE_BYTES = 1 << 14
FORMAT = 1
FILE_NAME = re.compile(r"[0-9a-f]{32}\.(block|[0-9a-f]{16}\.part)")

SUM = Struct("=Q")
EMPTY = memoryview(b"")
# A pipe of another user must not block reads, nor a link lead to another file.
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAKE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Errors of opening a link, and a socket.
NO_FILE = {errno.ELOOP, errno.EMLINK, errno.ENXIO}

# Reads only bytes that the system has in memory; None where that does not exist.
NO_WAIT = getattr(os, "RWF_NOWAIT", None)

# Times of use are accurate to a minute: one system call less for most reads.
TOUCH_SECONDS = 60


class BlockPart(NamedTuple):
    """Bytes ``[start, stop)`` of a block, and the memory for them."""

    start: int
    stop: int
    into: memoryview


class Block(NamedTuple):
    """Name of a block, seed of its sums, and number of its bytes."""

    name: str
    seed: int
    size: int

    @property
    def header_size(self) -> int:
        """Bytes before those of the block."""
        return 8 + 8 * -(-self.size // PAGE_BYTES)

    @property
    def file_size(self) -> int:
        """Bytes of its file."""
        return self.header_size + self.size


@dataclass(frozen=True)
class BlockAddress:
    """One version of one object, divided into blocks.

    Parameters:
        place: where the object is.
        version: changes with its content.
        size: bytes of the object.
        block_bytes: bytes of every block but the last.
    """

    place: str
    version: str
    size: int
    block_bytes: int

    def block(self, number: int) -> Block:
        """The block that begins at byte ``number * block_bytes``."""
        fields = [FORMAT, self.place, self.version, self.size, self.block_bytes, number]
        digest = blake2b(repr(fields).encode("utf-8", "surrogatepass"), digest_size=24).digest()
        start = number * self.block_bytes
        size = min(self.block_bytes, self.size - start)
        return Block(digest[:16].hex(), int.from_bytes(digest[16:], "little"), size)


def footprint(size: int) -> int:
    """Disk space of a file of `size` bytes, in pages of 4 KiB."""
    return -(-size // 4096) * 4096


def load_block(directory: int, block: Block, parts: Sequence[BlockPart], wait: bool = True) -> bool | None:
    """Fill the memory of the parts. If that fails, its contents are undefined.

    Parameters:
        directory: descriptor of the directory, which thus cannot be replaced by another.
        block: the block.
        parts: the parts to load.
        wait: read from the disk if necessary.

    Returns:
        True if they were filled; False if there is no such block; None if it was damaged, and was removed.

    Raises:
        BlockingIOError: the disk would have to be read.
    """
    if not wait and NO_WAIT is None:
        raise BlockingIOError
    name = f"{block.name}.block"
    try:
        file = os.open(name, READ_FLAGS, dir_fd=directory)
    except OSError as error:
        if error.errno not in NO_FILE:
            return False
        _remove(directory, name)
        return None
    try:
        if _read(file, block, parts, 0 if wait else NO_WAIT or 0):
            return True
    finally:
        os.close(file)
    _remove(directory, name)
    return None


def reserve_block(directory: int, block: Block) -> tuple[int, str]:
    """Create a file with the full size of a block; returns its descriptor and name.

    Raises:
        OSError: it cannot be created.
    """
    # Containers that share a disk may have equal process ids, so the name is random.
    name = f"{block.name}.{os.urandom(8).hex()}.part"
    file = os.open(name, MAKE_FLAGS, 0o600, dir_fd=directory)
    try:
        os.ftruncate(file, block.file_size)
    except BaseException:
        os.close(file)
        _remove(directory, name)
        raise
    return file, name


def complete_block(directory: int, file: int, name: str, block: Block, content: memoryview) -> bool:
    """Fill a reserved file and rename it to the name of its block. Closes it in any case.

    Returns:
        False if it was removed by another process.

    Raises:
        OSError: it could not be written, and was removed.
    """
    try:
        _write(file, memoryview(_header(content, block.seed)), content)
        os.rename(name, f"{block.name}.block", src_dir_fd=directory, dst_dir_fd=directory)
    except FileNotFoundError:
        return False
    except BaseException:
        _remove(directory, name)
        raise
    finally:
        os.close(file)
    return True


def _remove(directory: int, name: str) -> None:
    """Remove a file if it exists."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=directory)


def _read(file: int, block: Block, parts: Sequence[BlockPart], flags: int) -> bool:
    """Fill the memory of the parts; False if the file does not contain the block, or the disk fails."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_size != block.file_size:
        return False
    # The time of modification is used as the time of use: systems update the time of access differently, or never.
    if time.time() - status.st_mtime > TOUCH_SECONDS:
        with contextlib.suppress(OSError):
            os.utime(file)
    header = bytearray(block.header_size)
    try:
        _fill(file, [memoryview(header)], 0, flags)
        if SUM.unpack_from(header)[0] != xxh3_64_intdigest(memoryview(header)[8:], block.seed):
            return False
        sums = memoryview(header)[8:].cast("Q")
        return all(_read_part(file, block, part, sums, flags) for part in parts)
    except BlockingIOError:
        raise
    except OSError:
        return False


def _read_part(file: int, block: Block, part: BlockPart, sums: memoryview, flags: int) -> bool:
    """Read the pages that a part touches, its own bytes directly into its memory, and check them."""
    first, last = part.start // PAGE_BYTES, -(-part.stop // PAGE_BYTES)
    start, stop = first * PAGE_BYTES, min(last * PAGE_BYTES, block.size)
    before, behind = memoryview(bytearray(part.start - start)), memoryview(bytearray(stop - part.stop))
    _fill(file, [before, part.into, behind], block.header_size + start, flags)
    return all(map(int.__eq__, _sums(before, part.into, behind), sums[first:last]))


def _fill(file: int, buffers: Sequence[memoryview], at: int, flags: int) -> None:
    """Fill all buffers from a position of the file.

    Raises:
        BlockingIOError: the disk would have to be read, and the flags forbid it, or the system does not support them.
        OSError: the file is too short, or the disk fails.
    """
    size = sum(map(len, buffers))
    try:
        got = os.preadv(file, buffers, at, flags)
    except OSError as error:
        if flags and error.errno in (errno.EOPNOTSUPP, errno.EINVAL):
            raise BlockingIOError from None
        raise
    if got != size:
        raise BlockingIOError if flags else OSError(errno.EIO, "short read")


def _write(file: int, *buffers: memoryview) -> None:
    at = 0
    for buffer in buffers:
        left = buffer
        while len(left):
            done = os.pwrite(file, left, at)
            left, at = left[done:], at + done


def _header(content: memoryview, seed: int) -> bytes:
    sums = b"".join(map(SUM.pack, _sums(EMPTY, content, EMPTY)))
    return SUM.pack(xxh3_64_intdigest(sums, seed)) + sums


def _sums(before: memoryview, middle: memoryview, behind: memoryview) -> Iterator[int]:
    """Sums of the pages of three consecutive pieces of memory, of which the outer ones are less than a page."""
    head = PAGE_BYTES - len(before)
    if len(middle) < head:
        yield _sum(before, middle, behind)
        return
    yield _sum(before, middle[:head])
    tail = len(middle) - (len(middle) - head) % PAGE_BYTES
    for at in range(head, tail, PAGE_BYTES):
        yield xxh3_64_intdigest(middle[at : at + PAGE_BYTES])
    if tail < len(middle) or len(behind):
        yield _sum(middle[tail:], behind)


def _sum(*pieces: memoryview) -> int:
    digest = xxh3_64()
    for piece in pieces:
        digest.update(piece)
    return digest.intdigest()
