"""The cache of one directory in one process, shared by all storages that use it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

from ddfast.storage.base import Span, Stat, Storage
from ddfast.storage.cache.blocks import Block, BlockPart, complete_block, load_block, reserve_block
from ddfast.storage.cache.usage import DiskLimit

__all__ = ["BlockCache", "BlockFetch", "BlockFetches", "Waits", "shared_cache"]

P = ParamSpec("P")
R = TypeVar("R")

THREADS = 8

# Seconds without another attempt to write after one failed.
REST_SECONDS = 60.0

# A block that another reader fetches is waited for so many times as long as usual, but at least so many seconds. After
# that the reader fetches it itself, because the other one may be slow, or its event loop may have stopped.
WAIT_FACTOR = 4
SHORTEST_WAIT = 0.25


BlockFetch = futures.Future[memoryview | None]


class BlockFetches:
    """The fetches under way in this process by the names of blocks, so that no block is fetched twice at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fetches: dict[str, BlockFetch] = {}
        self._usual = 0.0

    def join(self, names: Iterable[str]) -> tuple[dict[str, BlockFetch], dict[str, BlockFetch]]:
        """Begin fetches of the blocks that are not being fetched, to be ended with `leave`.

        Returns:
            These, and the fetches of others.
        """
        own: dict[str, BlockFetch] = {}
        others: dict[str, BlockFetch] = {}
        with self._lock:
            for name in names:
                if name in self._fetches:
                    others[name] = self._fetches[name]
                else:
                    own[name] = self._fetches[name] = futures.Future()
                    own[name].set_running_or_notify_cancel()  # waiters cannot cancel it
        return own, others

    def leave(self, own: dict[str, BlockFetch], seconds: float) -> None:
        """Remove fetches that `join` began, and end those without a result: others have to fetch these themselves.

        Parameters:
            own: the fetches.
            seconds: how long they took; 0 if they failed.
        """
        with self._lock:
            for name in own:
                del self._fetches[name]
            if seconds:
                self._usual += (seconds - self._usual) / 8
        for fetch in own.values():
            if not fetch.done():
                fetch.set_result(None)

    @property
    def timeout(self) -> float:
        """Seconds to wait for a fetch of another reader."""
        return max(SHORTEST_WAIT, WAIT_FACTOR * self._usual)


class BlockCache:
    """Loads and stores blocks. If the directory cannot be used, it warns once and stays empty.

    Parameters:
        directory: where the blocks are; created, for this user only, if it is missing.
        limit_bytes: disk space for them.

    Attributes:
        fetches: the fetches under way.
        limit: keeps the directory within `limit_bytes`; None if the directory cannot be used.
    """

    def __init__(self, directory: str, limit_bytes: int) -> None:
        self.directory = directory
        self.limit_bytes = limit_bytes
        self.fetches = BlockFetches()
        self.users = 0
        self.limit: DiskLimit | None = None
        self._has_warned = False
        self._rests_until = 0.0
        self._pool = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="ddfast-cache")
        try:
            self.limit = DiskLimit(directory, limit_bytes)
        except OSError as error:
            self._warn(error)

    def load(self, block: Block, parts: Sequence[BlockPart], wait: bool) -> bool | None:
        """Fill the memory of the parts; see `load_block`."""
        assert self.limit is not None
        return load_block(self.limit.directory, block, parts, wait)

    def store(self, block: Block, content: memoryview) -> bool:
        """Store a block if there is room and the disk can be written; returns whether it was stored."""
        assert self.limit is not None
        if time.monotonic() < self._rests_until:
            return False
        directory = self.limit.directory
        try:
            with self.limit.room_for(block.file_size) as has_room:
                if not has_room:
                    return False
                file, name = reserve_block(directory, block)
            return complete_block(directory, file, name, block, content)
        except OSError as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            self._warn(error)
            return False

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            reason = error.strerror or error
            warnings.warn(
                f"{self.directory} cannot be used as a cache: {reason}. Reading continues without it.",
                RuntimeWarning,
                stacklevel=2,
            )

    async def in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function in a thread. After a cancellation, this returns only when the function has ended.

        So the memory that it fills is free for other use then.
        """
        work = self._pool.submit(function, *args, **kwargs)
        done = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            work.cancel()
            while not done.done():
                with contextlib.suppress(asyncio.CancelledError, futures.CancelledError):
                    await asyncio.wait([done])
            raise

    @contextlib.contextmanager
    def held(self) -> Iterator[BlockCache]:
        """Keep the cache open within the ``with`` block, even if all storages release it."""
        with _shared.lock:
            self.users += 1
        try:
            yield self
        finally:
            self.release()

    def release(self) -> None:
        """End the use of the cache; the last user ends its threads and closes its files."""
        with _shared.lock:
            self.users -= 1
            if self.users:
                return
            del _shared.caches[self.directory, self.limit_bytes]
        self._pool.shutdown()
        self.close_files()

    def close_files(self) -> None:
        """Close open files, and nothing else: this is all that may be done in a forked process."""
        if self.limit is not None:
            self.limit.close()
            self.limit = None


class Waits(NamedTuple):
    """How a read waits. Its coroutines never suspend if it blocks, see `ddfast.storage.base.run_blocking`."""

    is_async: bool

    async def call(self, cache: BlockCache, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of file operations, which use a thread if this is asynchronous."""
        if self.is_async:
            return await cache.in_thread(function, *args, **kwargs)
        return function(*args, **kwargs)

    async def stat(self, storage: Storage) -> Stat:
        """Size and version of an object."""
        return await storage.stat_async() if self.is_async else storage.stat()

    async def read(self, storage: Storage, spans: Sequence[Span], into: Sequence[memoryview]) -> None:
        """Read from a storage."""
        if self.is_async:
            await storage.read_async(spans, into)
        else:
            storage.read(spans, into)

    async def fetch(self, fetch: BlockFetch, deadline: float) -> memoryview | None:
        """A block that another thread or task fetches; None if it does not arrive in time."""
        left = max(0.0, deadline - time.monotonic())
        try:
            if fetch.done() or not self.is_async:
                return fetch.result(left)
            return await asyncio.wait_for(asyncio.wrap_future(fetch), left)
        except (asyncio.TimeoutError, futures.TimeoutError):  # are the same only since Python 3.11
            return None


class _SharedCaches:
    """The caches that are open in this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.caches: dict[tuple[str, int], BlockCache] = {}

    def after_fork(self) -> None:
        """Close the files of the parent, which are not used here."""
        self.lock = threading.Lock()
        while self.caches:
            self.caches.popitem()[1].close_files()


_shared = _SharedCaches()
os.register_at_fork(after_in_child=_shared.after_fork)


def shared_cache(directory: str | os.PathLike[str], limit_bytes: int) -> BlockCache:
    """The cache of a directory, opened if necessary. The caller has to release it."""
    key = (str(Path(directory).absolute()), limit_bytes)
    with _shared.lock:
        cache = _shared.caches.get(key)
        if cache is None:
            cache = _shared.caches[key] = BlockCache(*key)
        cache.users += 1
    return cache
