"""Recovery of a batch that cannot be read as a whole: its samples are read one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ddfast._native.fetch import Fetch
from ddfast.batch import Batch
from ddfast.errors import DdfastError
from ddfast.loading.fetcher import Fetcher
from ddfast.loading.partial import batch_of_checked

__all__ = ["BatchRecovery"]

# Samples that are fetched at the same time.
MAX_IN_FLIGHT = 32


class BatchRecovery:
    """Fetches the samples of a failed batch one by one. Like a `Stream`, it never waits.

    Separate reads detect damage that a shared read cannot: if the bytes between two samples are unreadable, both
    samples may still be valid.

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
            self._outcomes.append(self._outcome(self._in_flight.popleft()))
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
            index = self._indices[self._submitted : self._submitted + 1]
            fetch = self._fetcher.fetch(index, self._columns, self._tables)
            fetch.submit()
            self._in_flight.append(fetch)
            self._submitted += 1

    def _outcome(self, fetch: Fetch) -> bytes | Exception:
        self._fetcher.count_reads(fetch)
        try:
            return bytes(self._fetcher.batch(fetch).raw(0))
        except (DdfastError, OSError) as error:
            return error
