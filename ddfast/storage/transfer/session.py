"""What reads through I/O threads: all data files of a dataset for its engines, or one object from start to end."""

from __future__ import annotations

import copy
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ddfast._native.engine import Engine
from ddfast._native.remote_queue import RemoteQueue
from ddfast.storage.base import Storage
from ddfast.storage.open import open_storage
from ddfast.storage.transfer.io_thread import BUDGET, SLACK, IOThread
from ddfast.storage.transfer.link import MOST, TransferCounters
from ddfast.storage.transfer.retry import LinkState, RetryPolicy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SequentialReader", "TransferLog", "TransferSession"]

# SequentialReader: bytes of one request, and requests ahead.
RANGE = 4 << 20
RANGES = 8

S = TypeVar("S")
T = TypeVar("T")


class TransferLog:
    """The counters of all I/O threads of a session. It does not keep storages, or connections, open."""

    def __init__(self) -> None:
        self._counters: list[TransferCounters] = []

    def add(self, counters: TransferCounters) -> None:
        """Include the counters of another thread."""
        self._counters.append(counters)

    @property
    def counters(self) -> TransferCounters:
        """What all threads have read so far."""
        return TransferCounters.total(tuple(self._counters))


class TransferSession:
    """Reads shards from storages, for any number of engines. Thread safe, and usable after a fork.

    It implements `ddfast.dataset.remote.Session`.

    Parameters:
        storages: of the shards, by number; closed together with this, and opened again if they are needed after that
            or in a forked child.
        policy: the retry policy; None for the default.
        most: maximum number of reads in flight for each engine.
        budget: maximum number of bytes in flight for each engine.

    Attributes:
        transfers: counts what all engines have read in this process.
        max_gap: bytes between two samples that are read with them and stay in memory beside them. The scheduler reads
            larger gaps as well, which do not stay in memory.
        max_read: maximum bytes of one request, so that several connections share large reads.
    """

    max_gap = 4 << 10
    max_read = 1 << 20

    def __init__(
        self,
        storages: Sequence[Storage],
        policy: RetryPolicy | None = None,
        most: int = MOST,
        budget: int = BUDGET,
    ) -> None:
        self._storages = list(storages)
        self._are_open = True
        self._retry = policy or RetryPolicy()
        self._io_thread = partial(IOThread, policy=self._retry, most=most, budget=budget)
        self._states: list[LinkState] = []
        self.transfers = TransferLog()
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def read_timeout(self) -> float:
        """Seconds after which a read has ended, or failed, in any case."""
        return self._retry.timeout + SLACK

    @property
    def counters(self) -> TransferCounters:
        """What all engines have read in this process."""
        return self.transfers.counters

    def serve(self, engine: Engine) -> IOThread:
        """Begin to read the pieces that an engine wants; `RemotePiece.shard` is the number of the storage."""
        thread = self._counted(self._io_thread(self.opened(), RemoteQueue(engine)))
        thread.start()
        return thread

    def for_each(
        self, function: Callable[[IOThread, S], Coroutine[Any, Any, T]], items: Sequence[S]
    ) -> list[T]:
        """As `IOThread.for_each`, with an I/O thread of its own, which is the first argument of the function."""
        with self._counted(self._io_thread([])) as thread:
            return thread.for_each(partial(function, thread), items)

    def opened(self) -> Sequence[Storage]:
        """The storages, opened again if they are closed or this is a forked process."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._are_open = os.getpid(), False
            if not self._are_open:
                self._storages = [_opened_again(storage) for storage in self._storages]
                self._are_open = True
            return self._storages

    def failure(self, reason: str) -> Exception | None:
        """The error behind the reason with which a piece failed; None if it is unknown."""
        errors = (state.errors.get(reason) for state in tuple(self._states))
        return next((error for error in errors if error is not None), None)

    def close(self) -> None:
        """Close the storages."""
        with self._lock:
            if self._are_open and self._pid == os.getpid():
                for storage in self._storages:
                    storage.close()
            self._are_open = False

    def _counted(self, thread: IOThread) -> IOThread:
        self._states.append(thread.state)
        self.transfers.add(thread.counters)
        return thread


def _opened_again(storage: Storage) -> Storage:
    """A copy of a storage that is open here, and still detects that the object was replaced."""
    fresh = copy.copy(storage)
    if storage.seen is not None:
        fresh.note(storage.seen)
    return fresh


class SequentialReader:
    """Reads an object under a URL once from beginning to end.

    It reads 32 MiB ahead, and retries failed reads as readers do.

    Parameters:
        url: of the object.
        policy: the retry policy; None for the default.
        options: as for `ddfast.storage.open_storage`.

    Attributes:
        name: the URL without secrets, for messages.
        size: bytes of the object.

    Raises:
        StorageError: the object cannot be read; `read` raises this, too.
        StorageOptionError: an option is unknown or has an invalid value.
    """

    def __init__(
        self, url: str | os.PathLike[str], policy: RetryPolicy | None = None, **options: Any
    ) -> None:
        self._storage = open_storage(url, **options)
        self._thread = IOThread(policy=policy)
        self._ahead: deque[tuple[Future[None], memoryview]] = deque()
        self._requested = 0
        self._data = memoryview(b"")
        self.name = self._storage.name
        try:
            self.size = self._thread.for_each(self._thread.stat, [self._storage])[0].size
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> memoryview:
        """The next bytes, up to `size` of them; none at the end of the object."""
        if not self._data:
            self._data = self._next()
        data, self._data = self._data[:size], self._data[size:]
        return data

    def _next(self) -> memoryview:
        while self._requested < self.size and len(self._ahead) < RANGES:
            start, stop = self._requested, min(self.size, self._requested + RANGE)
            data = memoryview(bytearray(stop - start))
            read = self._thread.read(self._storage, (start, stop), data)
            self._ahead.append((self._thread.submit(read), data))
            self._requested = stop
        if not self._ahead:
            return memoryview(b"")
        future, data = self._ahead.popleft()
        self._thread.wait(future)
        return data.toreadonly()

    def close(self) -> None:
        """Cancel reads under way, and end the thread."""
        self._ahead.clear()
        self._thread.close()
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
