"""The core of every reader: an engine that fetches samples, within a memory budget."""

from __future__ import annotations

import operator
import os
import time
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddfast._native.arena import Pool
from ddfast._native.columns import Table
from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.dataset.base import BaseDataset, Server
from ddfast.dataset.location import shown_name
from ddfast.errors import ClosedError, KernelError, StorageTimeoutError, UnsupportedIOError
from ddfast.loading.known import KnownColumns
from ddfast.loading.on_error import ErrorPolicy
from ddfast.loading.options import IO, ReadOptions
from ddfast.loading.order import Order, Part

__all__ = ["Fetcher", "StallTimeout"]

POLL_SECONDS = 0.1
STOP_SECONDS = 5.0


class Fetcher:
    """The engine and the memory of one reader; all its batches, and single samples of a remote dataset, come from here.

    Parameters:
        dataset: the dataset to read.
        options: how to read it; ``prefetch_bytes``, ``queue_depth``, ``timeout`` and ``io`` apply. The timeout is at
            least that of a read of the remote storage, whose errors are more specific.
        policy: handles samples that cannot be delivered, and has the counters.

    Attributes:
        known: the columns of the batches so far.

    Raises:
        UnsupportedIOError: ``options.io`` is ``"uring"``, and the system does not allow this process to use io_uring.
    """

    def __init__(self, dataset: BaseDataset, options: ReadOptions, policy: ErrorPolicy) -> None:
        self.dataset = dataset
        self.policy = policy
        self.known = KnownColumns(shown_name(str(dataset.path)))
        self.prefetch_bytes = options.prefetch_bytes
        self.pool = Pool(options.prefetch_bytes)
        self._shards = dataset.shards
        self.engine = _new_engine(options.queue_depth, options.io)
        self._server = dataset.serve(self.engine)
        self.timeout = max(options.timeout, dataset.read_timeout)
        self.closed = False
        self._pid = os.getpid()
        if self._server is not None:
            weakref.finalize(self, _end, self._server, self._pid)

    @property
    def is_ours(self) -> bool:
        """False in a forked child, where the engine's threads do not run."""
        return self._pid == os.getpid()

    def close(self, timeout: float = STOP_SECONDS) -> bool:
        """Cancel all reads and end the threads. Returns False if a read is stuck in the system."""
        self.closed = True
        stopped = self.engine.stop(timeout)
        return (self._server is None or self._server.close(timeout)) and stopped

    # -- batches

    def fetch(
        self, indices: NDArray[np.int64], columns: Sequence[str] | None, tables: bool, max_bytes: int = 0
    ) -> Fetch:
        """One batch of these samples; if it has more than `max_bytes`, unless that is 0, it fails with ``E_LIMIT``."""
        self._require_open()
        return Fetch(
            self.engine,
            self._shards,
            self.pool,
            indices=indices,
            batch_size=len(indices),
            columns=columns,
            tables=tables,
            max_gap=self.dataset.max_gap,
            max_read=self.dataset.max_read,
            max_bytes=max_bytes,
        )

    def fetch_part(
        self, order: Order, part: Part, number: int, batches: int, columns: Sequence[str] | None, tables: bool
    ) -> Fetch:
        """Consecutive batches of a part, of which only the last may be short."""
        self._require_open()
        first, count = part.stretch(number)
        if batches > 1:
            count = (batches - 1) * part.batch_size + part.stretch(number + batches - 1)[1]
        return Fetch(
            self.engine,
            self._shards,
            self.pool,
            order=order,
            first=first,
            stride=part.stride,
            count=count,
            batch_size=part.batch_size,
            columns=columns,
            tables=tables,
            max_gap=self.dataset.max_gap,
            max_read=self.dataset.max_read,
        )

    def batch(self, fetch: Fetch, number: int = 0) -> Batch:
        """One batch of a completed fetch.

        Raises:
            CorruptSampleError, ReadError, ...: a sample of the batch is damaged or cannot be read.
        """
        try:
            fetch.check()
        except (KernelError, OSError) as error:
            raise self.dataset.explain_read(error, _planned(fetch, number)) from error
        indices = fetch.indices(number)
        try:
            return Batch(fetch.table(number), indices, self.dataset)
        except (KernelError, OSError) as error:
            raise self.dataset.explain(error, int(indices[getattr(error, "item", 0)])) from error

    # -- single samples, with the methods and errors of `ddfast._native.samples.Samples`

    def get(self, index: int) -> Any:
        """One sample, decoded."""
        return self._table_of(index).decode(0, self.dataset.decoder)

    def raw(self, index: int) -> bytes:
        """One sample, packed."""
        return self._table_of(index).packed_bytes(0)

    def _table_of(self, index: int) -> Table:
        fetch = self.fetch(np.array([operator.index(index)], np.int64), None, False)
        if not fetch.run(0):
            self._block(fetch)
        return fetch.table(0)

    # -- waiting and counting

    def wait(self, fetch: Fetch) -> None:
        """Block until a fetch of batches is complete, and count the time.

        Raises:
            StorageTimeoutError: no read has completed for the timeout of the reader.
            ClosedError: the reader was closed, and a read is stuck in the system.
        """
        begin = time.monotonic()
        try:
            self._block(fetch)
        finally:
            self.count_wait(begin)

    def _block(self, fetch: Fetch) -> None:
        stall = StallTimeout(self)
        while not fetch.wait(POLL_SECONDS):
            self._require_open()
            stall.check()

    def count_reads(self, fetch: Fetch) -> None:
        """Count the reads of a completed fetch."""
        counters = self.policy.counters.local
        size, reads, merged = fetch.cost
        counters.bytes_read += size
        counters.reads += reads
        counters.merged += merged

    def count_wait(self, since: float) -> None:
        """Count the time that the program has waited since `since`, a time of the monotonic clock."""
        self.policy.counters.local.seconds_waited += time.monotonic() - since

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedError(f"the reader of {self.dataset.path} is closed; open it again to continue")


def _end(server: Server, pid: int) -> None:
    """Close the server of a fetcher that was dropped, or is open at exit; but not that of a parent process."""
    if pid == os.getpid():
        server.close(0)


def _planned(fetch: Fetch, number: int) -> NDArray[np.int64] | None:
    """The samples of a batch of a failed fetch; None if it failed before they were known."""
    try:
        return fetch.indices(number)
    except (KernelError, OSError):
        return None


def _new_engine(queue_depth: int | None, io: IO) -> Engine:
    try:
        return Engine(queue_depth or 0, io=io)
    except OSError as error:
        if io != "uring":
            raise
        raise UnsupportedIOError(
            error.errno,
            f"io_uring is not available ({error.strerror}): the kernel is too old, or its settings or a container's "
            "seccomp filter forbid it. Use io='threads' instead",
        ) from error


class StallTimeout:
    """Raises an error when storage makes no progress.

    Parameters:
        fetcher: the fetcher that waits, with its timeout.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._progress = -1
        self._deadline = 0.0

    def check(self) -> None:
        """Look whether reads complete. Call it repeatedly while waiting.

        Raises:
            StorageTimeoutError: none has completed for the timeout of the fetcher.
        """
        progress, now = self._fetcher.engine.progress, time.monotonic()
        if progress != self._progress:
            self._progress = progress
            self._deadline = now + self._fetcher.timeout
        elif now > self._deadline:
            raise StorageTimeoutError(
                f"{self._fetcher.dataset.path}: no read has completed for {self._fetcher.timeout:g} s. The storage "
                "does not respond; check it, or increase timeout=..."
            )
