"""How much the cache's directory holds, and what leaves it when that is too much.

All processes share the count in the file ``usage``, under its lock: 24 bytes in the order of the machine, which are
the bytes that the blocks take, when they were last counted (seconds since 1970), and XXH3-64 of the 16 bytes
before. The count is raised before a block's file is made, so it is never too low; it is too high where a process was
killed or two fetched the same block, so files are counted anew before any of them is removed, and once an hour. A
file that gets its final name during the count may be missed: the limit holds within one block per process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from ddfast.storage.cache.blocks import FILE_NAME, BlockFolder, footprint

__all__ = ["CacheUsage", "Ledger", "cache_usage", "clear_cache", "open_directory"]

USAGE_FILE = "usage"
USAGE = Struct("=QQQ")

# After a removal there is room for a tenth of the limit: counting 100,000 files takes about a second.
KEPT_SHARE = 0.9
RECOUNT_SECONDS = 3600
# A block that is being written for longer was given up.
PART_SECONDS = 600
# Whoever holds the lock changes 24 bytes or is removing blocks; one that was stopped must not hold up the others.
LOCK_SECONDS = 1.0


class CacheUsage(NamedTuple):
    """What a cache's directory holds.

    Attributes:
        blocks: number of blocks.
        bytes: what they take of the disk.
    """

    blocks: int
    bytes: int


class Entry(NamedTuple):
    """A file of a block; the first to go comes first."""

    used: float
    size: int
    name: str


class Ledger:
    """Keeps the blocks of a directory within a limit, together with all other processes.

    Parameters:
        folder: the blocks.
        limit_bytes: what they may take of the disk.

    Raises:
        OSError: the file of the count cannot be opened or made.
    """

    def __init__(self, folder: BlockFolder, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._file = os.open(USAGE_FILE, flags, 0o600, dir_fd=folder.directory)
        self._threads = threading.Lock()

    def close(self) -> None:
        """Close the file of the count."""
        os.close(self._file)

    @contextlib.contextmanager
    def room_for(self, size: int) -> Iterator[bool]:
        """Within the block a file of `size` bytes may be made, if True; what was not used for longest made room for it.

        False where another process holds the lock for long, or the file is larger than the limit.

        Raises:
            OSError: the count cannot be read or written.
        """
        need = footprint(size)
        if need > self.limit_bytes:
            yield False
            return
        with self._locked() as mine:
            if mine:
                self._make_room(need)
            yield mine

    def _make_room(self, need: int) -> None:
        now = time.time()
        total, counted = self._noted()
        if total + need > self.limit_bytes or not 0 <= now - counted < RECOUNT_SECONDS:
            total, counted = self._recount(need, now), int(now)
        sums = USAGE.pack(total + need, counted, 0)[:16]
        os.pwrite(self._file, sums + xxh3_64_intdigest(sums).to_bytes(8, "little"), 0)

    def _noted(self) -> tuple[int, int]:
        """Bytes, and when they were counted, as the file says; ``(0, 0)`` where it says nothing."""
        noted = os.pread(self._file, USAGE.size, 0)
        if len(noted) != USAGE.size or noted[16:] != xxh3_64_intdigest(noted[:16]).to_bytes(8, "little"):
            return 0, 0
        total, counted, _ = USAGE.unpack(noted)
        return total, counted

    def _recount(self, need: int, now: float) -> int:
        """Count the files, and remove what makes them too many; return the bytes of those that stay."""
        entries = list(_entries(self.folder.directory, now))
        total = sum(entry.size for entry in entries)
        if total + need <= self.limit_bytes:
            return total
        entries.sort()
        goal = min(int(self.limit_bytes * KEPT_SHARE), self.limit_bytes - need)
        for entry in entries:
            if total <= goal:
                break
            with contextlib.suppress(OSError):
                os.unlink(entry.name, dir_fd=self.folder.directory)
                total -= entry.size
        return total

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock against all threads and processes, if it is to be had soon."""
        until = time.monotonic() + LOCK_SECONDS
        if not self._threads.acquire(timeout=LOCK_SECONDS):
            yield False
            return
        try:
            while not (locked := _try_lock(self._file)) and time.monotonic() < until:
                time.sleep(0.001)
            try:
                yield locked
            finally:
                if locked:
                    fcntl.flock(self._file, fcntl.LOCK_UN)
        finally:
            self._threads.release()


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _entries(directory: int, now: float) -> Iterator[Entry]:
    """All files of blocks, also of those being written; nothing else that may lie there is looked at."""
    with os.scandir(directory) as files:
        for file in files:
            if not FILE_NAME.fullmatch(file.name):
                continue
            try:
                status = file.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(status.st_mode):
                continue
            given_up = file.name.endswith(".part") and now - status.st_mtime > PART_SECONDS
            yield Entry(0.0 if given_up else status.st_mtime, footprint(status.st_size), file.name)


def open_directory(path: str | os.PathLike[str], make: bool = False) -> int:
    """File descriptor of a directory that nobody else can write to.

    Parameters:
        path: the directory; the last part of the path must be no link.
        make: make it, and those above it, where they are missing.

    Raises:
        OSError: it cannot be made or opened.
        PermissionError: it belongs to another user, or others may write to it.
    """
    path = Path(path)
    if make:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(directory)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o022:
        return directory
    os.close(directory)
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user (uid {status.st_uid})")
    raise PermissionError(f"others may write to {path}; `chmod go-w` it")


def cache_usage(directory: str | os.PathLike[str]) -> CacheUsage:
    """What the cache in a directory holds now.

    Raises:
        OSError: there is no such directory, or it is none that a cache would use.
    """
    descriptor = open_directory(directory)
    try:
        sizes = [entry.size for entry in _entries(descriptor, time.time())]
    finally:
        os.close(descriptor)
    return CacheUsage(len(sizes), sum(sizes))


def clear_cache(directory: str | os.PathLike[str]) -> CacheUsage:
    """Remove all blocks from a directory, also while it is used; return what they were.

    Raises:
        OSError: there is no such directory, or it is none that a cache would use, or a block cannot be removed.
    """
    descriptor = open_directory(directory)
    try:
        entries = list(_entries(descriptor, time.time()))
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    return CacheUsage(len(entries), sum(entry.size for entry in entries))
