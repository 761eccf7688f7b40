"""The batches of a pass, read ahead, in order.

A `Stream` never waits. The blocking and the asynchronous iterator poll it for the next batch, and if that is not ready,
wait for the stream's head fetch, each in its own way (a blocked thread, or an event loop that watches a descriptor).
Only the engine's threads run in between. After a loop that ends early there is no task or thread to clean up: dropping
the stream cancels the reads ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.errors import ClosedError, DdfastError, KernelError
from ddfast.loading.batch_recovery import BatchRecovery
from ddfast.loading.fetcher import Fetcher
from ddfast.loading.on_error import is_of_storage
from ddfast.loading.options import BatchOptions
from ddfast.loading.order import Order, Part, plan_pass

__all__ = ["Stream", "open_stream"]

# Batches that are fetched as one group, because the overhead per fetch would exceed the cost of reading small batches.
GROUP_BYTES = 1 << 20
GROUP_BATCHES = 64

# Groups in flight as long as storage does not have to be waited for: few, so that they stay in the processor's cache.
WARM_GROUPS = 4
WARM_BYTES = 32 << 20


class Group(NamedTuple):
    """Consecutive batches of a stream that are being fetched.

    Parameters:
        fetch: these batches; or one batch without its samples that are listed as damaged, None if all are.
        listed: number of the samples left out.
    """

    fetch: Fetch | None
    listed: int = 0


class Stream:
    """The batches of one part of one epoch, read ahead. Not safe to use from several threads.

    Parameters:
        fetcher: engine and memory.
        order: the order of the epoch.
        part: the batches to deliver.
        columns: names of columns, None for all.
        raw: deliver packed samples without columns.
        strict: see `open_stream`.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        order: Order,
        part: Part,
        columns: Sequence[str] | None,
        raw: bool,
        strict: bool = False,
    ) -> None:
        self.fetcher = fetcher
        self._order = order
        self._part = part
        self._columns = columns
        self._tables = not raw
        self._sample_bytes = fetcher.dataset.data_size / max(1, len(fetcher.dataset))
        self._total = len(part)
        self._submitted = 0  # batches
        self._strict = strict
        self._counters = fetcher.policy.counters
        listed = [] if strict else fetcher.policy.listed(fetcher.dataset, len(fetcher.dataset))
        self._listed = np.array(listed, np.int64)
        self._in_flight: deque[Group] = deque()
        self._number = 0  # of the next batch in the head fetch
        self._recovery: BatchRecovery | None = None  # of the batch that is due
        self._window = self._warm_window()
        # Batches of the next group: the first groups are small, so that the first batch is ready soon.
        self._ramp = 1
        self._delivered = 0  # bytes of the latest delivered group
        # Ratio of the memory of groups, including gaps between samples, to the size of their samples.
        self._overhead = 1.0

    def __len__(self) -> int:
        """Number of batches, including those delivered already."""
        return self._total

    @property
    def head(self) -> Fetch | None:
        """The fetch that contains the next batch; None at the end."""
        if self._recovery is not None:
            return self._recovery.head
        return self._in_flight[0].fetch if self._in_flight else None

    def poll(self) -> Batch | None:
        """The next batch; None if it is not ready yet, or if `head` is None: the stream has ended.

        Raises:
            CorruptSampleError, ReadError, ...: a sample of the batch is damaged or cannot be read, and the policy
                raises its error. The next call continues after the batch.
            ClosedError: the stream was opened before a fork.
        """
        if not self.fetcher.is_ours:  # a forked child does not have the threads that read
            raise ClosedError(
                f"{self.fetcher.dataset.path}: these batches were opened before a fork; open new ones in the child"
            )
        batch = self._next() if self._recovery is None else self._recovered(self._recovery)
        if batch is not None:
            self._counters.add_batch(batch)
            if self._tables:
                self.fetcher.known.note(batch, self._columns)
                self.fetcher.known.warn_of_missing(batch, self._columns)
        return batch

    def _next(self) -> Batch | None:
        if self._number == 0:
            self._top_up()
        if not self._in_flight:
            return None
        fetch, listed = self._in_flight[0]
        if fetch is None:
            self._in_flight.popleft()
            self._counters.local.listed += listed
            return self.fetcher.known.empty(self.fetcher.dataset, self._columns, not self._tables)
        if not fetch.done:
            return None
        if self._failed_as_whole(fetch):
            return self._next()
        number = self._number
        self._number += 1
        if self._number == len(fetch):
            self._finish(fetch)
        if listed:
            self._counters.local.listed += listed
        try:
            return self.fetcher.batch(fetch, number)
        except (DdfastError, OSError) as error:
            if self._strict or not self.fetcher.policy.can_skip(error):
                raise
        self._recovery = BatchRecovery(
            self.fetcher, fetch.indices(number).copy(), self._columns, self._tables
        )
        return self._recovered(self._recovery)

    def _finish(self, fetch: Fetch) -> None:
        """Continue with the next group."""
        self._in_flight.popleft()
        self._number = 0
        self._delivered = fetch.held
        self._overhead = max(
            1.0, fetch.held * self._overhead / self._estimate(len(fetch) * self._part.batch_size)
        )
        self.fetcher.count_reads(fetch)
        self._widen(fetch)
        self._top_up()

    def _recovered(self, recovery: BatchRecovery) -> Batch | None:
        self._recovery = None  # if it fails, the next call continues after it
        batch = recovery.poll()
        if batch is None:
            self._recovery = recovery
        return batch

    def close(self) -> None:
        """Cancel all reads ahead."""
        self._in_flight.clear()
        self._recovery = None
        self._submitted = self._total

    def _failed_as_whole(self, fetch: Fetch) -> bool:
        """If a read failed, fetch the batches of the group one by one, to deliver those without damage.

        Not if the storage failed as a whole, because each batch would wait for it again.
        """
        if len(fetch) == 1:
            return False
        try:
            fetch.check()
        except (KernelError, OSError) as error:
            if is_of_storage(self.fetcher.dataset.explain_read(error, None)):
                return False
        else:
            return False
        self.fetcher.count_reads(fetch)
        self._in_flight.popleft()
        number = (fetch.first - self._part.stretch(0)[0]) // self._part.stride
        for i in reversed(range(self._number, len(fetch))):
            single = self._fetch(number + i, 1)
            single.submit()
            self._in_flight.appendleft(Group(single))
        self._number = 0
        return True

    def _warm_window(self) -> int:
        group_bytes = max(GROUP_BYTES, self._sample_bytes * self._part.batch_size)
        return max(2, min(WARM_GROUPS, int(WARM_BYTES / group_bytes)))

    def _widen(self, fetch: Fetch) -> None:
        """Read further ahead if storage had to be waited for."""
        if fetch.waited:
            self._window = min(2 * self._window, 4096)

    def _top_up(self) -> None:
        while self._submitted < self._total and len(self._in_flight) < self._window:
            batches = self._next_group()
            if self._in_flight and not self._affordable(batches):
                return
            batches = self._submit(batches)
            self._submitted += batches
            self._ramp = min(2 * self._ramp, GROUP_BATCHES)

    def _submit(self, batches: int) -> int:
        """Fetch the next batches, up to the first one that has listed samples. Returns the number of batches."""
        if self._listed.size:
            before = self._batches_before_listed(batches)
            if before == 0:
                self._in_flight.append(self._fetch_unlisted())
                return 1
            batches = before
        fetch = self._fetch(self._submitted, batches)
        fetch.submit()
        self._in_flight.append(Group(fetch))
        return batches

    def _batches_before_listed(self, batches: int) -> int:
        numbers = range(self._submitted, self._submitted + batches)
        return next((i for i, number in enumerate(numbers) if self._is_listed(number).any()), batches)

    def _is_listed(self, number: int) -> NDArray[np.bool_]:
        return np.isin(self._indices(number), self._listed)

    def _indices(self, number: int) -> NDArray[np.int64]:
        first, count = self._part.stretch(number)
        return self._order.indices(first, first + count)

    def _fetch_unlisted(self) -> Group:
        """Fetch the next batch without its listed samples."""
        is_listed = self._is_listed(self._submitted)
        left = self._indices(self._submitted)[~is_listed]
        listed = len(is_listed) - len(left)
        if not len(left):
            return Group(None, listed)
        fetch = self.fetcher.fetch(left, self._columns, self._tables)
        fetch.submit()
        return Group(fetch, listed)

    def _next_group(self) -> int:
        """Number of batches in the next group."""
        batch_bytes = self._sample_bytes * self._part.batch_size
        most = min(GROUP_BATCHES, max(1, int(GROUP_BYTES / max(1.0, batch_bytes))), self._ramp)
        if self._submitted >= self._part.full:
            return 1  # the share of the last step is not adjacent
        left = (
            self._total - self._submitted if self._part.world_size == 1 else self._part.full - self._submitted
        )
        return min(most, left)

    def _affordable(self, batches: int) -> bool:
        wanted = self._estimate(batches * self._part.batch_size)
        planned = sum(
            self._estimate(len(fetch) * self._part.batch_size)
            for fetch, _ in self._in_flight
            if fetch is not None and not fetch.held
        )
        used = self.fetcher.pool.used - self._delivered
        return used + planned + wanted <= self.fetcher.prefetch_bytes

    def _estimate(self, samples: int) -> float:
        return self._overhead * samples * (self._sample_bytes + 200)

    def _fetch(self, number: int, batches: int) -> Fetch:
        return self.fetcher.fetch_part(self._order, self._part, number, batches, self._columns, self._tables)


def open_stream(fetcher: Fetcher, options: BatchOptions, strict: bool = False) -> Stream:
    """The batches of one rank's part of one epoch.

    Parameters:
        fetcher: engine and memory.
        options: the pass.
        strict: raise the error of every sample that cannot be delivered, whatever the reader's policy.
    """
    dataset = fetcher.dataset
    order, part = plan_pass(options, len(dataset), dataset.data_size, dataset.positions)
    return Stream(fetcher, order, part, options.columns, options.raw, strict)
