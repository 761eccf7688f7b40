"""Recovery of a batch that cannot be read as a whole: its samples are read one by one."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddfast._native.fetch import Fetch
from ddfast._native.status import E_LIMIT, E_SPAN
from ddfast.batch import Batch
from ddfast.errors import DdfastError, KernelError
from ddfast.loading.fetcher import Fetcher
from ddfast.loading.partial import batch_of_checked

__all__ = ["BatchRecovery"]

# Samples that are fetched at the same time.
MAX_IN_FLIGHT = 32


class BatchRecovery:
    """Fetches the samples of a failed batch one by one. Like a `Stream`, it never waits.

    Separate reads detect damage that a shared read cannot: if the bytes between two samples are unreadable, both
    samples may still be valid. Samples that overlap are damaged, except for the first one, so all of them together are
    not larger than the data files; those in flight take at most the reader's memory for reading ahead, or one sample.

    Parameters:
        fetcher: engine and memory.
        indices: the samples; int64, shape ``(n,)``.
        columns: names of the columns of the batch; None for all.
        tables: build columns.
    """

    def __init__(
        self, fetcher: Fetcher, indices: NDArray[np.int64], columns: Sequence[str] | None, tables: bool
    ) -> None:
        self._fetcher = fetcher
        self._indices = indices
        self._columns = columns
        self._tables = tables
        self._in_flight: deque[Fetch] = deque()
        self._submitted = 0
        self._outcomes: list[bytes | Exception | None] = []
        self._spans: list[tuple[int, int, int]] = []  # start, stop and index of the valid samples, sorted
        self._max_bytes = max(1, fetcher.prefetch_bytes // MAX_IN_FLIGHT)

    @property
    def head(self) -> Fetch | None:
        """The fetch to wait for."""
        return self._in_flight[0] if self._in_flight else None

    def poll(self) -> Batch | None:
        """The batch of all valid samples; None while they are being fetched.

        Raises:
            CorruptSampleError, ReadError, ...: a sample is invalid, and the reader's policy raises its error.
        """
        while len(self._outcomes) < len(self._indices):
            self._top_up()
            if not self._in_flight[0].done:
                return None
            fetch = self._in_flight.popleft()
            if self._is_refused(fetch):
                self._in_flight.appendleft(self._submit(len(self._outcomes), 0))
            else:
                self._outcomes.append(self._outcome(fetch, int(self._indices[len(self._outcomes)])))
        fetcher = self._fetcher
        return batch_of_checked(
            self._outcomes,
            self._indices,
            fetcher.dataset,
            fetcher.policy,
            columns=self._columns,
            raw=not self._tables,
            pool=fetcher.pool,
            known=fetcher.known,
        )

    def _top_up(self) -> None:
        while self._submitted < len(self._indices) and len(self._in_flight) < MAX_IN_FLIGHT:
            self._in_flight.append(self._submit(self._submitted, self._max_bytes))
            self._submitted += 1

    def _submit(self, number: int, max_bytes: int) -> Fetch:
        index = self._indices[number : number + 1]
        fetch = self._fetcher.fetch(index, self._columns, self._tables, max_bytes)
        fetch.submit()
        return fetch

    def _is_refused(self, fetch: Fetch) -> bool:
        """Whether a sample is too large to be in flight together with others."""
        try:
            fetch.check()
        except KernelError as error:
            return error.code == E_LIMIT
        except OSError:
            return False
        return False

    def _outcome(self, fetch: Fetch, index: int) -> bytes | Exception:
        self._fetcher.count_reads(fetch)
        try:
            batch = self._fetcher.batch(fetch)
            if self._overlaps(*fetch.span(0), index):
                error = KernelError(E_SPAN, "it overlaps another sample of the batch")
                return self._fetcher.dataset.explain(error, index)
            return bytes(batch.raw(0))
        except (DdfastError, OSError) as error:
            return error

    def _overlaps(self, start: int, stop: int, index: int) -> bool:
        """Whether a valid sample overlaps an earlier one with another index; otherwise it becomes one of them."""
        at = bisect_right(self._spans, (start, stop, index))
        if at and self._spans[at - 1] == (start, stop, index):
            return False
        before = at > 0 and self._spans[at - 1][1] > start
        behind = at < len(self._spans) and self._spans[at][0] < stop
        if start < stop and not before and not behind:
            self._spans.insert(at, (start, stop, index))
        return before or behind
