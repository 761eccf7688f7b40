"""The disk space that a cache takes, and which blocks are removed when it exceeds the limit.

All processes share the total in the file ``usage``, under its lock: 24 bytes in the byte order of the machine, which
are the bytes that the blocks take, the time when they were last counted (seconds since 1970), and XXH3-64 of these 16
bytes. The total is increased before the file of a block is created, so it is never too low. It is too high after a
process was killed or two fetched the same block, so files are counted again before any of them is removed, and once
an hour. A file that is renamed during the count may be missed: the limit holds within one block per process.
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

from ddfast.storage.cache.blocks import FILE_NAME, footprint

__all__ = ["CacheUsage", "DiskLimit", "cache_usage", "clear_cache", "open_directory"]

USAGE_FILE = "usage"
USAGE = Struct("=QQQ")

# Removal frees a tenth of the limit: counting 100,000 files takes about a second.
KEPT_SHARE = 0.9
RECOUNT_SECONDS = 3600
# Files that have been written for longer are left over from killed processes.
PART_SECONDS = 600
# A process holds the lock to change 24 bytes or to remove blocks; one that was stopped must not block the others.
LOCK_SECONDS = 1.0


class CacheUsage(NamedTuple):
    """The contents of the directory of a cache.

    Attributes:
        blocks: number of blocks.
        bytes: disk space that they take.
    """

    blocks: int
    bytes: int


class BlockFile(NamedTuple):
    """A file of a block; those that are removed first compare as smaller."""

    used: float
    size: int
    name: str


class DiskLimit:
    """Keeps the blocks of a directory within a limit, together with other processes.

    Parameters:
        directory: where the blocks are; created, for this user only, if it is missing.
        limit_bytes: disk space for them.

    Attributes:
        directory: its descriptor.

    Raises:
        OSError: the directory, or the file ``usage``, cannot be opened or created.
    """

    def __init__(self, directory: str, limit_bytes: int) -> None:
        self.directory = open_directory(directory, make=True)
        self.limit_bytes = limit_bytes
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            self._file = os.open(USAGE_FILE, flags, 0o600, dir_fd=self.directory)
        except OSError:
            os.close(self.directory)
            raise
        self._threads = threading.Lock()

    def close(self) -> None:
        """Close the directory and the file ``usage``."""
        os.close(self._file)
        os.close(self.directory)

    @contextlib.contextmanager
    def room_for(self, size: int) -> Iterator[bool]:
        """Reserve space for a file of `size` bytes, which is to be created within the ``with`` block.

        Blocks that were not used for longest are removed for it. Yields False if another process holds the lock for
        too long, or the file is larger than the limit.

        Raises:
            OSError: the file ``usage`` cannot be read or written.
        """
        need = footprint(size)
        if need > self.limit_bytes:
            yield False
            return
        with self._locked() as is_locked:
            if is_locked:
                self._make_room(need)
            yield is_locked

    def _make_room(self, need: int) -> None:
        now = time.time()
        total, counted = self._noted()
        if total + need > self.limit_bytes or not 0 <= now - counted < RECOUNT_SECONDS:
            total, counted = self._recount(need, now), int(now)
        sums = USAGE.pack(total + need, counted, 0)[:16]
        os.pwrite(self._file, sums + xxh3_64_intdigest(sums).to_bytes(8, "little"), 0)

    def _noted(self) -> tuple[int, int]:
        """The total and the time of the count, from the file; ``(0, 0)`` if it is damaged."""
        noted = os.pread(self._file, USAGE.size, 0)
        if len(noted) != USAGE.size or noted[16:] != xxh3_64_intdigest(noted[:16]).to_bytes(8, "little"):
            return 0, 0
        total, counted, _ = USAGE.unpack(noted)
        return total, counted

    def _recount(self, need: int, now: float) -> int:
        """Count the files, and remove some if they exceed the limit; returns the bytes of those that remain."""
        entries = list(_entries(self.directory, now))
        total = sum(entry.size for entry in entries)
        if total + need <= self.limit_bytes:
            return total
        entries.sort()
        goal = min(int(self.limit_bytes * KEPT_SHARE), self.limit_bytes - need)
        for entry in entries:
            if total <= goal:
                break
            with contextlib.suppress(OSError):
                os.unlink(entry.name, dir_fd=self.directory)
                total -= entry.size
        return total

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock against other threads and processes; yields False if it is not free in time."""
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


def _entries(directory: int, now: float) -> Iterator[BlockFile]:
    """All files of blocks, including those being written. Other files are ignored."""
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
            is_left_over = file.name.endswith(".part") and now - status.st_mtime > PART_SECONDS
            yield BlockFile(0.0 if is_left_over else status.st_mtime, footprint(status.st_size), file.name)


def open_directory(path: str | os.PathLike[str], make: bool = False) -> int:
    """Open a directory that no other user can write to; returns its file descriptor.

    Parameters:
        path: the directory; its last part must not be a link.
        make: create it, and its parents, if they are missing.

    Raises:
        OSError: it cannot be created or opened.
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
    raise PermissionError(f"other users may write to {path}. Run `chmod go-w` on it")


def cache_usage(directory: str | os.PathLike[str]) -> CacheUsage:
    """The current contents of the cache in a directory.

    Raises:
        OSError: the directory does not exist, or cannot be used as a cache.
    """
    descriptor = open_directory(directory)
    try:
        sizes = [entry.size for entry in _entries(descriptor, time.time())]
    finally:
        os.close(descriptor)
    return CacheUsage(len(sizes), sum(sizes))


def clear_cache(directory: str | os.PathLike[str]) -> CacheUsage:
    """Remove all blocks from a directory, also while it is in use; returns what was removed.

    Raises:
        OSError: the directory does not exist or cannot be used as a cache, or a block cannot be removed.
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
