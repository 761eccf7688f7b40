"""The core of every reader: batches fetched ahead by the engine, in order, within a budget of memory.

There is one core and two thin faces. A `Stream` never waits: a face asks it for the next batch, and where there is none
yet, waits for the stream's head fetch in its own way (a blocked thread, or an event loop that watches a descriptor).
All that runs in between are the engine's threads, so that there is no task and no thread to clean up after a loop that
ends early: dropping the stream gives up what it has fetched ahead.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddfast._native.arena import Pool
from ddfast._native.engine import Engine
from ddfast._native.fetch import Fetch
from ddfast.anydataset import AnyDataset
from ddfast.batch import Batch
from ddfast.errors import ClosedError, KernelError, StorageTimeoutError, UnsupportedIOError
from ddfast.order import Order, Part, Shuffle, epoch_order, listed_order

__all__ = ["IO", "PREFETCH_BYTES", "QUEUE_DEPTH", "READ_TIMEOUT", "Fetcher", "Stream", "check_columns"]

IO = Literal["auto", "threads", "uring"]

PREFETCH_BYTES = 256 << 20
QUEUE_DEPTH = 32
READ_TIMEOUT = 120.0

# Batches that are fetched as one group: small batches would cost more to hand around than to read.
GROUP_BYTES = 1 << 20
GROUP_BATCHES = 64

# Samples closer than this in the file share a read, and reads are cut at that, so that threads share large batches.
MAX_GAP = 4 << 10
MAX_READ = 1 << 20

# Groups under way while nothing has to be waited for: few, so that their memory stays in the processor's cache.
WARM_GROUPS = 4
WARM_BYTES = 32 << 20

POLL_SECONDS = 0.1
STOP_SECONDS = 5.0


def check_columns(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Column names as a tuple.

    Raises:
        TypeError: they are no sequence of strings.
    """
    if columns is None:
        return None
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns):
        raise TypeError(f"columns is {columns!r}, not a sequence of names such as ['label']")
    return tuple(columns)


class Fetcher:
    """The engine and the memory of one reader.

    Parameters:
        dataset: what to read.
        prefetch_bytes: memory for batches that are not delivered yet, and for those that the consumer keeps (the
            latest one excepted). One group of batches is fetched in any case.
        queue_depth: reads in flight at most.
        timeout: seconds without any read completing after which storage is given up.
        io: what waits for storage, see `Engine`.

    Raises:
        UnsupportedIOError: `io` is ``"uring"``, and the system does not let this program use io_uring.
    """

    def __init__(
        self, dataset: AnyDataset, prefetch_bytes: int, queue_depth: int, timeout: float, io: IO = "auto"
    ) -> None:
        if prefetch_bytes < 1 or queue_depth < 1 or timeout <= 0:
            raise ValueError("prefetch_bytes and queue_depth are at least 1, and timeout is above 0")
        self.dataset = dataset
        self.prefetch_bytes = prefetch_bytes
        self.pool = Pool(prefetch_bytes)
        self._shards = dataset.shards
        self.engine = _new_engine(queue_depth, io)
        self.timeout = timeout
        self.closed = False
        self._pid = os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a forked child, where the engine's threads do not run."""
        return self._pid == os.getpid()

    def close(self, timeout: float = STOP_SECONDS) -> bool:
        """Give up all reads and end the threads. Returns False if a read is stuck in the system."""
        self.closed = True
        return self.engine.stop(timeout)

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
            max_gap=MAX_GAP,
            max_read=MAX_READ,
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
            max_gap=MAX_GAP,
            max_read=MAX_READ,
        )

    def stream(
        self,
        batch_size: int,
        *,
        indices: ArrayLike | None,
        shuffle: Shuffle,
        seed: int,
        epoch: int,
        start: int,
        rank: int,
        world_size: int,
        drop_last: bool,
        columns: Sequence[str] | None,
        raw: bool,
    ) -> Stream:
        """One rank's part of one epoch; what the arguments mean, `ddfast.AsyncReader.batches` says."""
        if indices is None:
            order = epoch_order(len(self.dataset), self.dataset.data_size, shuffle, seed, epoch)
        else:
            order = listed_order(self.dataset.positions(indices), shuffle)
        part = Part(len(order), batch_size, start, rank, world_size, drop_last)
        return Stream(self, order, part, columns, raw)

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

    def wait(self, fetch: Fetch) -> None:
        """Block until a fetch is done.

        Raises:
            StorageTimeoutError: no read has completed for too long.
            ClosedError: the reader was closed, and a read is stuck in the system.
        """
        patience = Patience(self)
        while not fetch.wait(POLL_SECONDS):
            self._require_open()
            patience.check()

    def _require_open(self) -> None:
        if self.closed:
            raise ClosedError(f"the reader of {self.dataset.path} is closed; open it again to read on")


def _planned(fetch: Fetch, number: int) -> NDArray[np.int64] | None:
    """The samples of a batch of a fetch that failed; None if it was not even planned."""
    try:
        return fetch.indices(number)
    except (KernelError, OSError):
        return None


def _new_engine(queue_depth: int, io: IO) -> Engine:
    try:
        return Engine(queue_depth, io=io)
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


class Stream:
    """The batches of one part of one epoch, fetched ahead. Not safe to use from several threads.

    Parameters:
        fetcher: engine and memory.
        order: the order of the epoch.
        part: the batches to deliver.
        columns: names of columns, None for all.
        raw: deliver packed samples without columns.
    """

    def __init__(
        self, fetcher: Fetcher, order: Order, part: Part, columns: Sequence[str] | None, raw: bool
    ) -> None:
        self.fetcher = fetcher
        self._order = order
        self._part = part
        self._columns = columns
        self._tables = not raw
        self._sample_bytes = fetcher.dataset.data_size / max(1, len(fetcher.dataset))
        self._total = len(part)
        self._submitted = 0  # batches
        self._ahead: deque[Fetch] = deque()
        self._at = 0  # next batch of the head fetch
        self._window = self._warm_window()
        self._ramp = (
            1  # batches of the next group: the first ones are small, so that the first batch comes soon
        )
        self._delivered = 0  # bytes of the group that was delivered last

    def __len__(self) -> int:
        """Number of batches, delivered ones included."""
        return self._total

    @property
    def head(self) -> Fetch | None:
        """The fetch that the next batch comes from; None at the end."""
        return self._ahead[0] if self._ahead else None

    def take(self) -> Batch | None:
        """The next batch, or None: it is not ready yet, or with no `head` left, the stream has ended.

        Raises:
            CorruptSampleError, ReadError, ...: a sample of the batch is damaged or cannot be read. The next call goes
                on behind the batch.
            ClosedError: the stream was made before a fork.
        """
        if not self.fetcher.is_ours:  # the threads that would read did not come along
            raise ClosedError(
                f"{self.fetcher.dataset.path}: batches of before a fork; ask the reader for new ones"
            )
        if self._at == 0:
            self._top_up()
        if not self._ahead or not self._ahead[0].done:
            return None
        fetch, number = self._ahead[0], self._at
        if self._failed_as_whole(fetch):
            return self.take()
        self._at += 1
        if self._at == len(fetch):
            self._ahead.popleft()
            self._at = 0
            self._delivered = fetch.held
            self._widen(fetch)
            self._top_up()
        return self.fetcher.batch(fetch, number)

    def close(self) -> None:
        """Give up all that is fetched ahead."""
        self._ahead.clear()
        self._submitted = self._total

    def _failed_as_whole(self, fetch: Fetch) -> bool:
        """Where a read failed, fetch the group's batches one by one: those without damage are delivered."""
        if len(fetch) == 1:
            return False
        try:
            fetch.check()
        except (KernelError, OSError):
            pass
        else:
            return False
        self._ahead.popleft()
        number = (fetch.first - self._part.stretch(0)[0]) // self._part.stride
        for i in reversed(range(self._at, len(fetch))):
            single = self._fetch(number + i, 1)
            single.submit()
            self._ahead.appendleft(single)
        self._at = 0
        return True

    def _warm_window(self) -> int:
        group_bytes = max(GROUP_BYTES, self._sample_bytes * self._part.batch_size)
        return max(2, min(WARM_GROUPS, int(WARM_BYTES / group_bytes)))

    def _widen(self, fetch: Fetch) -> None:
        """Fetch further ahead when storage had to be waited for."""
        if fetch.waited:
            self._window = min(2 * self._window, 4096)

    def _top_up(self) -> None:
        while self._submitted < self._total and len(self._ahead) < self._window:
            batches = self._next_group()
            if self._ahead and not self._affordable(batches):
                return
            fetch = self._fetch(self._submitted, batches)
            fetch.submit()
            self._ahead.append(fetch)
            self._submitted += batches
            self._ramp = min(2 * self._ramp, GROUP_BATCHES)

    def _next_group(self) -> int:
        """How many batches the next group has."""
        batch_bytes = self._sample_bytes * self._part.batch_size
        most = min(GROUP_BATCHES, max(1, int(GROUP_BYTES / max(1.0, batch_bytes))), self._ramp)
        if self._submitted >= self._part.full:
            return 1  # the share of the last step lies elsewhere
        left = (
            self._total - self._submitted if self._part.world_size == 1 else self._part.full - self._submitted
        )
        return min(most, left)

    def _affordable(self, batches: int) -> bool:
        wanted = self._estimate(batches * self._part.batch_size)
        planned = sum(
            0 if fetch.held else self._estimate(len(fetch) * self._part.batch_size) for fetch in self._ahead
        )
        used = self.fetcher.pool.used - self._delivered
        return used + planned + wanted <= self.fetcher.prefetch_bytes

    def _estimate(self, samples: int) -> float:
        return samples * (self._sample_bytes + 200)

    def _fetch(self, number: int, batches: int) -> Fetch:
        return self.fetcher.fetch_part(self._order, self._part, number, batches, self._columns, self._tables)
