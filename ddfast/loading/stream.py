"""The batches of a pass, fetched ahead, in order.

There is one core and two thin faces. A `Stream` never waits: a face asks it for the next batch, and where there is none
yet, waits for the stream's head fetch in its own way (a blocked thread, or an event loop that watches a descriptor).
All that runs in between are the engine's threads, so that there is no task and no thread to clean up after a loop that
ends early: dropping the stream gives up what it has fetched ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.errors import ClosedError, DdfastError, KernelError
from ddfast.loading.on_error import is_of_storage
from ddfast.loading.order import Order, Part
from ddfast.loading.rescue import Rescue

if TYPE_CHECKING:
    from ddfast.loading.fetcher import Fetcher

__all__ = ["Stream"]

# Batches that are fetched as one group: small batches would cost more to hand around than to read.
GROUP_BYTES = 1 << 20
GROUP_BATCHES = 64

# Groups under way while nothing has to be waited for: few, so that their memory stays in the processor's cache.
WARM_GROUPS = 4
WARM_BYTES = 32 << 20


class Ahead(NamedTuple):
    """Some consecutive batches of a stream on their way.

    Parameters:
        fetch: them, or what is left of one without the samples that are listed as bad; None if nothing is.
        listed: how many those are.
    """

    fetch: Fetch | None
    listed: int = 0


class Stream:
    """The batches of one part of one epoch, fetched ahead. Not safe to use from several threads.

    Parameters:
        fetcher: engine and memory.
        order: the order of the epoch.
        part: the batches to deliver.
        columns: names of columns, None for all.
        raw: deliver packed samples without columns.
        strict: see `Fetcher.stream`.
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
        self._tally = fetcher.policy.tally
        listed = [] if strict else fetcher.policy.listed(fetcher.dataset, len(fetcher.dataset))
        self._listed = np.array(listed, np.int64)
        self._ahead: deque[Ahead] = deque()
        self._at = 0  # next batch of the head fetch
        self._rescue: Rescue | None = None  # of a batch that is due
        self._window = self._warm_window()
        # Batches of the next group: the first ones are small, so that the first batch comes soon.
        self._ramp = 1
        self._delivered = 0  # bytes of the group that was delivered last
        # What groups take in memory, gaps between samples included, by their samples' sizes.
        self._bloat = 1.0

    def __len__(self) -> int:
        """Number of batches, delivered ones included."""
        return self._total

    @property
    def head(self) -> Fetch | None:
        """The fetch that the next batch comes from; None at the end."""
        if self._rescue is not None:
            return self._rescue.head
        return self._ahead[0].fetch if self._ahead else None

    def take(self) -> Batch | None:
        """The next batch, or None: it is not ready yet, or with no `head` left, the stream has ended.

        Raises:
            CorruptSampleError, ReadError, ...: a sample of the batch is damaged or cannot be read, and the policy is to
                raise for it. The next call goes on behind the batch.
            ClosedError: the stream was made before a fork.
        """
        if not self.fetcher.is_ours:  # the threads that would read did not come along
            raise ClosedError(
                f"{self.fetcher.dataset.path}: batches of before a fork; ask the reader for new ones"
            )
        batch = self._next() if self._rescue is None else self._rescued(self._rescue)
        if batch is not None:
            self._tally.add_batch(batch)
        return batch

    def _next(self) -> Batch | None:
        if self._at == 0:
            self._top_up()
        if not self._ahead:
            return None
        fetch, listed = self._ahead[0]
        if fetch is None:
            self._ahead.popleft()
            self.fetcher.policy.tally.mine.listed += listed
            return Batch.empty(self.fetcher.dataset)
        if not fetch.done:
            return None
        if self._failed_as_whole(fetch):
            return self._next()
        number = self._at
        self._at += 1
        if self._at == len(fetch):
            self._finish(fetch)
        if listed:
            self.fetcher.policy.tally.mine.listed += listed
        try:
            return self.fetcher.batch(fetch, number)
        except (DdfastError, OSError) as error:
            if self._strict or not self.fetcher.policy.can_skip(error):
                raise
        self._rescue = Rescue(self.fetcher, fetch.indices(number).copy(), self._columns, self._tables)
        return self._rescued(self._rescue)

    def _finish(self, fetch: Fetch) -> None:
        """Go on to the next group."""
        self._ahead.popleft()
        self._at = 0
        self._delivered = fetch.held
        self._bloat = max(1.0, fetch.held * self._bloat / self._estimate(len(fetch) * self._part.batch_size))
        self.fetcher.count_reads(fetch)
        self._widen(fetch)
        self._top_up()

    def _rescued(self, rescue: Rescue) -> Batch | None:
        self._rescue = None  # where it fails, the next call goes on behind it
        batch = rescue.take()
        if batch is None:
            self._rescue = rescue
        return batch

    def close(self) -> None:
        """Give up all that is fetched ahead."""
        self._ahead.clear()
        self._rescue = None
        self._submitted = self._total

    def _failed_as_whole(self, fetch: Fetch) -> bool:
        """Where a read failed, fetch the group's batches one by one: those without damage are delivered.

        Not where storage failed as a whole, which would only be waited for again.
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
        self._ahead.popleft()
        number = (fetch.first - self._part.stretch(0)[0]) // self._part.stride
        for i in reversed(range(self._at, len(fetch))):
            single = self._fetch(number + i, 1)
            single.submit()
            self._ahead.appendleft(Ahead(single))
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
            batches = self._submit(batches)
            self._submitted += batches
            self._ramp = min(2 * self._ramp, GROUP_BATCHES)

    def _submit(self, batches: int) -> int:
        """Have the next batches fetched, or those of them before one that has listed samples. Returns how many."""
        if self._listed.size:
            before = self._batches_before_listed(batches)
            if before == 0:
                self._ahead.append(self._fetch_unlisted())
                return 1
            batches = before
        fetch = self._fetch(self._submitted, batches)
        fetch.submit()
        self._ahead.append(Ahead(fetch))
        return batches

    def _batches_before_listed(self, batches: int) -> int:
        numbers = range(self._submitted, self._submitted + batches)
        return next((i for i, number in enumerate(numbers) if self._is_listed(number).any()), batches)

    def _is_listed(self, number: int) -> NDArray[np.bool_]:
        return np.isin(self._indices(number), self._listed)

    def _indices(self, number: int) -> NDArray[np.int64]:
        first, count = self._part.stretch(number)
        return self._order.indices(first, first + count)

    def _fetch_unlisted(self) -> Ahead:
        """The next batch without the samples that are listed."""
        is_listed = self._is_listed(self._submitted)
        left = self._indices(self._submitted)[~is_listed]
        listed = len(is_listed) - len(left)
        if not len(left):
            return Ahead(None, listed)
        fetch = self.fetcher.fetch(left, self._columns, self._tables)
        fetch.submit()
        return Ahead(fetch, listed)

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
            self._estimate(len(fetch) * self._part.batch_size)
            for fetch, _ in self._ahead
            if fetch is not None and not fetch.held
        )
        used = self.fetcher.pool.used - self._delivered
        return used + planned + wanted <= self.fetcher.prefetch_bytes

    def _estimate(self, samples: int) -> float:
        return self._bloat * samples * (self._sample_bytes + 200)

    def _fetch(self, number: int, batches: int) -> Fetch:
        return self.fetcher.fetch_part(self._order, self._part, number, batches, self._columns, self._tables)
