"""The core of every reader: an engine that fetches samples, within a budget of memory."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.arena import Pool
from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.dataset.base import Dataset, Server
from ddfast.errors import (
    ClosedError,
    KernelError,
    StorageTimeoutError,
    UnsupportedIOError,
)
from ddfast.loading.on_error import Policy
from ddfast.loading.options import IO
from ddfast.loading.order import Order, Part, Shuffle, epoch_order, listed_order
from ddfast.loading.stream import Stream

__all__ = ["Fetcher"]

POLL_SECONDS = 0.1
STOP_SECONDS = 5.0


class Fetcher:
    """The engine and the memory of one reader.

    Parameters:
        dataset: what to read.
        prefetch_bytes: memory for batches that are not delivered yet, and for those that the consumer keeps (the
            latest one excepted). One group of batches is fetched in any case.
        queue_depth: reads in flight at most; None: 32, and 64 where a mounted file system is far and reads are small;
            for a URL as many as the link is worth, 256 at most.
        timeout: seconds without any read completing after which storage is given up; no less than the patience of who
            reads for the engine, whose errors say more.
        io: what waits for storage, see `Engine`.
        policy: what to do with samples that cannot be given, and where to count; None raises.

    Raises:
        UnsupportedIOError: `io` is ``"uring"``, and the system does not let this program use io_uring.
    """

    def __init__(
        self,
        dataset: Dataset,
        prefetch_bytes: int,
        queue_depth: int | None,
        timeout: float,
        io: IO = "auto",
        policy: Policy | None = None,
    ) -> None:
        self.dataset = dataset
        self.policy = policy or Policy()
        self.prefetch_bytes = prefetch_bytes
        self.pool = Pool(prefetch_bytes)
        self._shards = dataset.shards
        self.engine = _new_engine(queue_depth, io)
        self._server = dataset.serve(self.engine)
        self.timeout = max(timeout, dataset.patience)
        self.closed = False
        self._pid = os.getpid()
        if self._server is not None:
            weakref.finalize(self, _end, self._server, self._pid)

    @property
    def is_ours(self) -> bool:
        """False in a forked child, where the engine's threads do not run."""
        return self._pid == os.getpid()

    def close(self, timeout: float = STOP_SECONDS) -> bool:
        """Give up all reads and end the threads. Returns False if a read is stuck in the system."""
        self.closed = True
        stopped = self.engine.stop(timeout)
        return (self._server is None or self._server.close(timeout)) and stopped

    def fetch(self, indices: NDArray[np.int64], columns: Sequence[str] | None, tables: bool) -> Fetch:
        """One batch of these samples."""
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
        )

    def fetch_part(
        self, order: Order, part: Part, number: int, batches: int, columns: Sequence[str] | None, tables: bool
    ) -> Fetch:
        """Some consecutive batches of a part, of which only the last may be short."""
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

    def stream(
        self,
        batch_size: int,
        *,
        indices: ArrayLike | None = None,
        shuffle: Shuffle = False,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = False,
        columns: Sequence[str] | None = None,
        raw: bool = False,
        strict: bool = False,
    ) -> Stream:
        """One rank's part of one epoch; what the arguments mean, `ddfast.AsyncReader.batches` says.

        A strict one raises for every sample that cannot be given, whatever the reader's policy.
        """
        if indices is None:
            order = epoch_order(len(self.dataset), self.dataset.data_size, shuffle, seed, epoch)
        else:
            order = listed_order(self.dataset.positions(indices), shuffle)
        part = Part(len(order), batch_size, start, rank, world_size, drop_last)
        return Stream(self, order, part, columns, raw, strict)

    def batch(self, fetch: Fetch, number: int = 0) -> Batch:
        """One batch of a fetch that is done, or the error that explains what is wrong with it."""
        try:
            fetch.check()
        except (KernelError, OSError) as error:
            raise self.dataset.explain_read(error, _planned(fetch, number)) from error
        indices = fetch.indices(number)
        try:
            return Batch(fetch.table(number), indices, self.dataset)
        except (KernelError, OSError) as error:
            raise self.dataset.explain(error, int(indices[getattr(error, "item", 0)])) from error

    def count_reads(self, fetch: Fetch) -> None:
        """Note what a fetch has read."""
        counts = self.policy.tally.mine
        size, reads, merged = fetch.cost
        counts.bytes_read += size
        counts.reads += reads
        counts.merged += merged

    def count_wait(self, since: float) -> None:
        """Note that the program has waited since this time of the monotonic clock."""
        self.policy.tally.mine.seconds_waited += time.monotonic() - since

    def wait(self, fetch: Fetch) -> None:
        """Block until a fetch is done.

        Raises:
            StorageTimeoutError: no read has completed for too long.
            ClosedError: the reader was closed, and a read is stuck in the system.
        """
        patience, begin = Patience(self), time.monotonic()
        try:
            while not fetch.wait(POLL_SECONDS):
                self._require_open()
                patience.check()
        finally:
            self.count_wait(begin)

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedError(f"the reader of {self.dataset.path} is closed; open it again to read on")


def _end(server: Server, pid: int) -> None:
    """Have a server end whose fetcher was dropped, or left open at exit; not that of the parent of a forked child."""
    if pid == os.getpid():
        server.close(0)


def _planned(fetch: Fetch, number: int) -> NDArray[np.int64] | None:
    """The samples of a batch of a fetch that failed; None if it was not even planned."""
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
            f"io_uring is not to be had here ({error.strerror}): the kernel is too old, or its settings or a "
            "container's filter forbid it. io='threads' reads without it",
        ) from error


class Patience:
    """How long storage may stand still."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._progress = -1
        self._deadline = 0.0

    def check(self) -> None:
        """Note whether reads complete; raise StorageTimeoutError if none has for the reader's timeout."""
        progress, now = self._fetcher.engine.progress, time.monotonic()
        if progress != self._progress:
            self._progress = progress
            self._deadline = now + self._fetcher.timeout
        elif now > self._deadline:
            raise StorageTimeoutError(
                f"{self._fetcher.dataset.path}: no read has completed for {self._fetcher.timeout:g} s. The storage "
                "does not answer; timeout=... sets how long to wait."
            )
