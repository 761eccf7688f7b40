"""Blocks of far objects as files of one directory, each checked whenever it is read.

A block is a file ``<32 hex digits>.block``; the digits are a hash of all that its bytes depend on (`Address`), so a
name says nothing and can be nothing else. The file holds, in the byte order of the machine:

    8 bytes         XXH3-64 of the sums, seeded with the address: a block under another's name is found out
    8 bytes a page  XXH3-64 of each page of 16 KiB, the last one of what is left
    the bytes       as far as the object reaches

A read touches the pages that it needs and no more. While it is written a block is ``<32 hex digits>.<16 random
ones>.part``, of its full size from the start, and is renamed when it is complete. Nothing is ever flushed: what a
killed process or a machine without power leaves behind does not have the right sums.
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

__all__ = ["FILE_NAME", "PAGE_BYTES", "Address", "Block", "BlockFolder", "Part", "footprint"]

PAGE_BYTES = 1 << 14
FORMAT = 1
FILE_NAME = re.compile(r"[0-9a-f]{32}\.(block|[0-9a-f]{16}\.part)")

SUM = Struct("=Q")
# A planted pipe must not make us wait, nor a planted link lead us elsewhere.
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAKE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# What opening says of a link, and of a socket.
PLANTED = {errno.ELOOP, errno.EMLINK, errno.ENXIO}

# Not everywhere is there a way to read just what the system has in memory.
NO_WAIT = getattr(os, "RWF_NOWAIT", None)

# Ages of use are kept to the minute: one system call less for most reads.
TOUCH_SECONDS = 60


class Part(NamedTuple):
    """Bytes ``[start, stop)`` of a block, and the memory that they go to."""

    start: int
    stop: int
    into: memoryview


class Block(NamedTuple):
    """Where a block is kept, what seeds its sums, and how many bytes it holds."""

    name: str
    seed: int
    size: int

    @property
    def header_size(self) -> int:
        """Bytes in front of the block's own."""
        return 8 + 8 * -(-self.size // PAGE_BYTES)

    @property
    def file_size(self) -> int:
        """Bytes of its file."""
        return self.header_size + self.size


@dataclass(frozen=True)
class Address:
    """One version of one object, in blocks.

    Parameters:
        place: where the object is.
        version: what changes with its content.
        size: bytes of the object.
        block_bytes: bytes of every block but the last.
    """

    place: str
    version: str
    size: int
    block_bytes: int

    def block(self, number: int) -> Block:
        """The block with bytes from ``number * block_bytes`` on."""
        fields = [FORMAT, self.place, self.version, self.size, self.block_bytes, number]
        digest = blake2b(repr(fields).encode("utf-8", "surrogatepass"), digest_size=24).digest()
        start = number * self.block_bytes
        size = min(self.block_bytes, self.size - start)
        return Block(digest[:16].hex(), int.from_bytes(digest[16:], "little"), size)


def footprint(size: int) -> int:
    """Bytes of a disk that a file of `size` bytes takes, with pages of 4 KiB."""
    return -(-size // 4096) * 4096


class BlockFolder:
    """The files of blocks, below one directory that is held open: nobody can put another in its place.

    Parameters:
        directory: file descriptor of the directory; it belongs to the folder from now on.
    """

    def __init__(self, directory: int) -> None:
        self.directory = directory

    def close(self) -> None:
        """Close the directory."""
        os.close(self.directory)

    def load(self, block: Block, parts: Sequence[Part], wait: bool = True) -> bool | None:
        """Fill the memory of the parts. Where that could not be done, it holds anything.

        Parameters:
            block: the block.
            parts: what is wanted of it.
            wait: read from the disk what the system does not have in memory.

        Returns:
            True: done. False: there is no such block. None: it was damaged, and is gone.

        Raises:
            BlockingIOError: it would have to wait.
        """
        if not wait and NO_WAIT is None:
            raise BlockingIOError
        name = f"{block.name}.block"
        try:
            file = os.open(name, READ_FLAGS, dir_fd=self.directory)
        except OSError as error:
            if error.errno not in PLANTED:
                return False
            self.remove(name)
            return None
        try:
            if _read(file, block, parts, 0 if wait else NO_WAIT or 0):
                return True
        finally:
            os.close(file)
        self.remove(name)
        return None

    def reserve(self, block: Block) -> tuple[int, str]:
        """A new file of the full size of a block: its descriptor and name.

        Raises:
            OSError: the directory, or its file system, does not take it.
        """
        name = (
            f"{block.name}.{os.urandom(8).hex()}.part"  # containers that share a disk have equal process ids
        )
        file = os.open(name, MAKE_FLAGS, 0o600, dir_fd=self.directory)
        try:
            os.ftruncate(file, block.file_size)
        except BaseException:
            os.close(file)
            self.remove(name)
            raise
        return file, name

    def complete(self, file: int, name: str, block: Block, content: memoryview) -> bool:
        """Fill a reserved file and give it the name of its block; close it in any case.

        Returns:
            False if somebody removed it in the meantime.

        Raises:
            OSError: it could not be written, and is gone.
        """
        try:
            _write(file, [_header(content, block.seed), content])
            os.rename(name, f"{block.name}.block", src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except FileNotFoundError:
            return False
        except BaseException:
            self.remove(name)
            raise
        finally:
            os.close(file)
        return True

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self.directory)


def _read(file: int, block: Block, parts: Sequence[Part], flags: int) -> bool:
    """Fill the memory of the parts; False if the file is not the block's, or its disk fails."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_size != block.file_size:
        return False
    # The time of modification stands for that of use: the system changes the time of access by itself, or never.
    if time.time() - status.st_mtime > TOUCH_SECONDS:
        with contextlib.suppress(OSError):
            os.utime(file)
    header = bytearray(block.header_size)
    try:
        _fill(file, [memoryview(header)], 0, flags)
        if SUM.unpack_from(header)[0] != _seal(memoryview(header)[8:], block.seed):
            return False
        sums = memoryview(header)[8:].cast("Q")
        return all(_read_part(file, block, part, sums, flags) for part in parts)
    except BlockingIOError:
        raise
    except OSError:
        return False


def _read_part(file: int, block: Block, part: Part, sums: memoryview, flags: int) -> bool:
    """Read the pages that a part touches, its own bytes straight to where they belong, and check them."""
    first, last = part.start // PAGE_BYTES, -(-part.stop // PAGE_BYTES)
    start, stop = first * PAGE_BYTES, min(last * PAGE_BYTES, block.size)
    before, behind = memoryview(bytearray(part.start - start)), memoryview(bytearray(stop - part.stop))
    _fill(file, [before, part.into, behind], block.header_size + start, flags)
    return all(map(int.__eq__, _sums(before, part.into, behind), sums[first:last]))


def _fill(file: int, buffers: Sequence[memoryview], at: int, flags: int) -> None:
    """Fill all buffers from a position on.

    Raises:
        BlockingIOError: it would have to wait, and the flags forbid it; a system that cannot tell says so, too.
        OSError: the file is shorter, or the disk fails.
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


def _write(file: int, buffers: Sequence[memoryview]) -> None:
    at = 0
    for buffer in buffers:
        left = buffer
        while len(left):
            done = os.pwrite(file, left, at)
            left, at = left[done:], at + done


def _header(content: memoryview, seed: int) -> memoryview:
    empty = memoryview(b"")
    sums = b"".join(map(SUM.pack, _sums(empty, content, empty)))
    return memoryview(SUM.pack(_seal(sums, seed)) + sums)


def _seal(sums: bytes | memoryview, seed: int) -> int:
    return xxh3_64_intdigest(sums, seed)


def _sums(before: memoryview, middle: memoryview, behind: memoryview) -> Iterator[int]:
    """Sums of the pages of three pieces of memory that stand for one, whose outer ones are less than a page."""
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
