"""The cache of one directory in one process: shared by all storages that use it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError as NeverStarted
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from ddfast.storage.cache.blocks import Block, BlockFolder, Part
from ddfast.storage.cache.flights import Flights
from ddfast.storage.cache.usage import Ledger, open_directory

__all__ = ["BlockCache", "shared_cache"]

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8

# After a write failed, no other is tried for so long.
REST_SECONDS = 60.0


class BlockCache:
    """Loads and stores blocks; a directory that cannot be used warns once, and is empty for ever.

    Parameters:
        directory: where the blocks are; made, for this user alone, if it is missing.
        limit_bytes: what they may take of the disk.
    """

    def __init__(self, directory: str, limit_bytes: int) -> None:
        self.directory = directory
        self.limit_bytes = limit_bytes
        self.flights = Flights()
        self.users = 0
        self.ledger: Ledger | None = None
        self._warned = False
        self._rests_until = 0.0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ddfast-cache")
        try:
            folder = BlockFolder(open_directory(directory, make=True))
        except OSError as error:
            self._warn(error)
            return
        try:
            self.ledger = Ledger(folder, limit_bytes)
        except OSError as error:
            folder.close()
            self._warn(error)

    def load(self, block: Block, parts: Sequence[Part], wait: bool) -> bool | None:
        """Fill the memory of the parts; see `BlockFolder.load`."""
        assert self.ledger is not None
        return self.ledger.folder.load(block, parts, wait)

    def store(self, block: Block, content: memoryview) -> bool:
        """Keep a block, if there is room and the disk takes it; whether it did."""
        assert self.ledger is not None
        if time.monotonic() < self._rests_until:
            return False
        folder = self.ledger.folder
        try:
            with self.ledger.room_for(block.file_size) as room:
                if not room:
                    return False
                file, name = folder.reserve(block)
            return folder.complete(file, name, block, content)
        except OSError as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            self._warn(error)
            return False

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            reason = error.strerror or error
            warnings.warn(
                f"{self.directory} cannot be used as a cache: {reason}. Reading goes on without it.",
                RuntimeWarning,
                stacklevel=2,
            )

    async def in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do file work in a thread. A cancelled caller comes back when nothing touches its memory any more."""
        work = self._pool.submit(function, *args, **kwargs)
        done = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            work.cancel()
            while not done.done():
                with contextlib.suppress(asyncio.CancelledError, NeverStarted):
                    await asyncio.wait([done])
            raise

    @contextlib.contextmanager
    def held(self) -> Iterator[BlockCache]:
        """Within the block the cache stays open, whoever releases it."""
        with _shared.lock:
            self.users += 1
        try:
            yield self
        finally:
            self.release()

    def release(self) -> None:
        """Use it no more; the last one to say so ends its threads and closes its files."""
        with _shared.lock:
            self.users -= 1
            if self.users:
                return
            del _shared.caches[self.directory, self.limit_bytes]
        self._pool.shutdown()
        self.close_files()

    def close_files(self) -> None:
        """Close what is open, and nothing else: all that may be done in a child process."""
        if self.ledger is not None:
            self.ledger.close()
            self.ledger.folder.close()
            self.ledger = None


class _Shared:
    """The caches that are open in this process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start with none."""
        self.lock = threading.Lock()
        self.caches: dict[tuple[str, int], BlockCache] = {}

    def after_fork(self) -> None:
        """Close the parent's files; nobody uses them here."""
        for cache in self.caches.values():
            cache.close_files()
        self.forget()


_shared = _Shared()
os.register_at_fork(after_in_child=_shared.after_fork)


def shared_cache(directory: str | os.PathLike[str], limit_bytes: int) -> BlockCache:
    """The cache of a directory, opened if need be; to be released by whoever asked for it."""
    key = (str(Path(directory).absolute()), limit_bytes)
    with _shared.lock:
        cache = _shared.caches.get(key)
        if cache is None:
            cache = _shared.caches[key] = BlockCache(*key)
        cache.users += 1
    return cache
