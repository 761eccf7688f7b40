"""Reads the data files of a remote dataset: their storages, and an I/O thread for each engine."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from ddfast._native.engine import Engine
from ddfast._native.remote_queue import RemoteQueue
from ddfast.storage.base import Storage
from ddfast.storage.transfer.counters import TransferCounters
from ddfast.storage.transfer.io_thread import BUDGET, SLACK, IOThread
from ddfast.storage.transfer.latency import CUT
from ddfast.storage.transfer.limiter import MOST
from ddfast.storage.transfer.retry import LinkState, RetryPolicy

__all__ = ["TransferSession"]

PLANNED_GAP = 4 << 10

S = TypeVar("S")
T = TypeVar("T")


class TransferSession:
    """Reads shards from storages, for any number of engines. Thread safe, and usable after a fork.

    It implements `ddfast.dataset.remote.Session`.

    Parameters:
        storages: of the shards, by number; closed together with this, and opened again if they are needed after that
            or in a forked child.
        policy: the retry policy; None for the default.
        most: maximum number of reads in flight for each engine.
        budget: maximum number of bytes in flight for each engine.
    """

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
        self._most = most
        self._budget = budget
        self._states: list[LinkState] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def read_timeout(self) -> float:
        """Seconds after which a read has ended, or failed, in any case."""
        return self._retry.timeout + SLACK

    @property
    def max_gap(self) -> int:
        """Bytes between two samples that are read with them and stay in memory beside them.

        The scheduler reads larger gaps as well, which do not stay in memory.
        """
        return PLANNED_GAP

    @property
    def max_read(self) -> int:
        """Maximum bytes of one request, so that several connections share large reads."""
        best_known = max(self._states, key=lambda state: state.latency.reads, default=None)
        return best_known.cut if best_known else CUT

    @property
    def counters(self) -> TransferCounters:
        """What all engines have read in this process."""
        return TransferCounters.total(state.counters for state in tuple(self._states))

    def serve(self, engine: Engine) -> IOThread:
        """Begin to read the pieces that an engine wants; `RemotePiece.shard` is the number of the storage."""
        thread = self._io_thread(self.opened(), RemoteQueue(engine))
        thread.start()
        return thread

    def for_each(
        self, function: Callable[[IOThread, S], Coroutine[Any, Any, T]], items: Sequence[S]
    ) -> list[T]:
        """As `IOThread.for_each`, with an I/O thread of its own, which is the first argument of the function."""
        with self._io_thread([], None) as thread:
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

    def _io_thread(self, storages: Sequence[Storage], queue: RemoteQueue | None) -> IOThread:
        thread = IOThread(storages, queue, self._retry, self._most, self._budget)
        self._states.append(thread.state)
        return thread


def _opened_again(storage: Storage) -> Storage:
    """A copy of a storage that is open here, and still detects that the object was replaced."""
    fresh = copy.copy(storage)
    if storage.seen is not None:
        fresh.note(storage.seen)
    return fresh
