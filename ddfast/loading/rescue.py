"""A batch that cannot be had whole: which of its samples can, found out one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast._native.arena import Pool
from ddfast._native.fetch import Fetch
from ddfast.batch import Batch, Origin
from ddfast.errors import DdfastError
from ddfast.loading.on_error import Place, Policy

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ddfast.loading.fetcher import Fetcher

__all__ = ["PlacedOrigin", "Rescue", "batch_of_sound", "batch_of_unchecked"]

# Samples of a batch that failed which are fetched at a time.
AT_ONCE = 32


class PlacedOrigin(Origin, Protocol):
    """Where the samples of a batch come from, and what it calls them."""

    def place(self, index: int) -> Place:
        """See `ddfast.policy.Source`."""


def batch_of_sound(
    parts: Sequence[Buffer | Exception | None],
    indices: NDArray[np.int64],
    origin: PlacedOrigin,
    policy: Policy,
    *,
    columns: Sequence[str] | None,
    raw: bool,
    pool: Pool | None = None,
) -> Batch:
    """A batch of the samples that there are.

    Parameters:
        parts: packed samples, each checked; in the place of one that there is none of, its error, or None for one that
            is listed.
        indices: where in the dataset each is; int64, shape ``(len(parts),)``.
        origin: the dataset.
        policy: what to do with the others, which it is asked in their order.
        columns, raw, pool: as those of `Batch.of`.
    """
    kept: list[int] = []
    samples: list[Buffer] = []
    for i, part in enumerate(parts):
        if part is None or isinstance(part, Exception):
            policy.pass_over(part, origin, int(indices[i]))
        else:
            kept.append(i)
            samples.append(part)
    return Batch.of(samples, indices[kept], origin, columns=columns, raw=raw, pool=pool)


def batch_of_unchecked(
    parts: Sequence[Buffer | Exception | None],
    indices: NDArray[np.int64],
    origin: PlacedOrigin,
    policy: Policy,
    *,
    columns: Sequence[str] | None,
    raw: bool,
    pool: Pool | None = None,
) -> Batch:
    """As `batch_of_sound`, of samples that are checked now, unless they are to stay packed."""
    samples = [part for part in parts if part is not None and not isinstance(part, Exception)]
    if len(samples) == len(parts):
        try:
            return Batch.of(samples, indices, origin, columns=columns, raw=raw, pool=pool)
        except DdfastError as error:
            if not policy.can_skip(error):
                raise
    if not raw:
        parts = [_checked(part, indices[i : i + 1], origin) for i, part in enumerate(parts)]
    return batch_of_sound(parts, indices, origin, policy, columns=columns, raw=raw, pool=pool)


def _checked(
    part: Buffer | Exception | None, index: NDArray[np.int64], origin: Origin
) -> Buffer | Exception | None:
    """A packed sample, or its error."""
    if part is not None and not isinstance(part, Exception):
        try:
            Batch.of([part], index, origin, columns=())
        except DdfastError as error:
            return error
    return part


class Rescue:
    """Fetches the samples of a batch one by one. As a stream, it never waits.

    Reads of their own tell damage that one shared read cannot: where a stretch between two samples is unreadable, both
    of them may be well.

    Parameters:
        fetcher: engine and memory.
        indices: the samples; int64, shape ``(n,)``.
        columns, tables: what the batch is to have.
    """

    def __init__(
        self, fetcher: Fetcher, indices: NDArray[np.int64], columns: Sequence[str] | None, tables: bool
    ) -> None:
        self._fetcher = fetcher
        self._indices = indices
        self._columns = columns
        self._tables = tables
        self._ahead: deque[Fetch] = deque()
        self._submitted = 0
        self._parts: list[bytes | Exception | None] = []

    @property
    def head(self) -> Fetch | None:
        """What has to be waited for."""
        return self._ahead[0] if self._ahead else None

    def take(self) -> Batch | None:
        """The batch of all samples that are well; None while they are fetched.

        Raises:
            CorruptSampleError, ReadError, ...: the reader's policy is to raise for one of the others.
        """
        while len(self._parts) < len(self._indices):
            self._top_up()
            if not self._ahead[0].done:
                return None
            self._parts.append(self._outcome(self._ahead.popleft()))
        fetcher = self._fetcher
        return batch_of_sound(
            self._parts,
            self._indices,
            fetcher.dataset,
            fetcher.policy,
            columns=self._columns,
            raw=not self._tables,
            pool=fetcher.pool,
        )

    def _top_up(self) -> None:
        while self._submitted < len(self._indices) and len(self._ahead) < AT_ONCE:
            index = self._indices[self._submitted : self._submitted + 1]
            fetch = self._fetcher.fetch(index, self._columns, self._tables)
            fetch.submit()
            self._ahead.append(fetch)
            self._submitted += 1

    def _outcome(self, fetch: Fetch) -> bytes | Exception:
        self._fetcher.count_reads(fetch)
        try:
            return bytes(self._fetcher.batch(fetch).raw(0))
        except (DdfastError, OSError) as error:
            return error
