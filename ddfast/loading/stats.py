"""Counters of what a reader has done so far."""

from __future__ import annotations

from collections.abc import Iterable
from threading import get_ident
from typing import NamedTuple, Protocol

from ddfast.dataset.base import TransferSource

__all__ = ["Counters", "ReaderStats", "ThreadCounters", "with_transfers"]

# Fields of `ReaderStats` that count transfers from remote storage, by their name in the counters of the storage.
TRANSFER_FIELDS = {
    "requests": "requests", "bytes_fetched": "bytes", "retries": "retries", "hedged": "hedged",
    "throttled": "throttled", "seconds_storage": "waited",
}  # fmt: skip


class ReaderStats(NamedTuple):
    """What a reader has done so far; each call of ``reader.stats()`` makes a new one.

    Batches, ``get_many`` and `ddfast.AsyncReader` are counted. ``get`` and iteration of blocking readers, which read
    directly from files, are not counted, except for the samples that they leave out.

    Attributes:
        samples: samples delivered.
        batches: batches delivered, including those of ``get_many``.
        bytes_delivered: packed bytes of those samples.
        bytes_read: bytes read from storage or the page cache, including gaps between samples that share a read.
        reads: number of those reads.
        merged: reads saved because adjacent samples share one.
        skipped: samples left out by ``on_error``, counted each time.
        listed: samples left out without reading them, because a `ddfast.policy.Quarantine` lists them.
        seconds_waited: seconds that the program has waited for batches that were not ready.
        requests: requests sent to remote storage (URLs), including those for index files and all retries. This counter
            and all that follow are 0 for files.
        bytes_fetched: bytes received in response.
        retries: requests repeated after a failed one.
        hedged: second requests sent because the first was unusually slow.
        throttled: requests that a server refused because it received too many.
        seconds_storage: seconds during which at least one request was in flight. If both this and `seconds_waited` are
            close to the duration of a pass, storage or the network is the bottleneck; if `seconds_waited` is small, the
            program is.
    """

    samples: int
    batches: int
    bytes_delivered: int
    bytes_read: int
    reads: int
    merged: int
    skipped: int
    listed: int
    seconds_waited: float
    requests: int = 0
    bytes_fetched: int = 0
    retries: int = 0
    hedged: int = 0
    throttled: int = 0
    seconds_storage: float = 0.0


def with_transfers(stats: ReaderStats, others: Iterable[ReaderStats]) -> ReaderStats:
    """Counters to which the transfers of other readers are added."""
    readers = [stats, *others]
    return stats._replace(**{name: sum(getattr(each, name) for each in readers) for name in TRANSFER_FIELDS})


class ThreadCounters:
    """The counters of one thread."""

    __slots__ = (
        "batches", "bytes_delivered", "bytes_read", "listed", "merged", "reads", "samples", "seconds_waited", "skipped",
    )  # fmt: skip

    def __init__(self) -> None:
        self.samples = self.batches = self.bytes_delivered = 0
        self.bytes_read = self.reads = self.merged = 0
        self.skipped = self.listed = 0
        self.seconds_waited = 0.0


class CountedBatch(Protocol):
    """What is counted of a batch."""

    def __len__(self) -> int:
        """Number of samples."""

    @property
    def nbytes(self) -> int:
        """Bytes of the packed samples."""


class Counters:
    """The counters of one reader. Each thread has its own, so that there is no lock that a fork could leave locked."""

    def __init__(self) -> None:
        self._of_threads: dict[int, ThreadCounters] = {}
        self._sources: list[TransferSource] = []

    def add_transfers(self, source: TransferSource | None) -> None:
        """Include the transfers of this source in the total."""
        if source is not None and source not in self._sources:
            self._sources.append(source)

    @property
    def local(self) -> ThreadCounters:
        """The counters of the calling thread."""
        ident = get_ident()
        counters = self._of_threads.get(ident)
        if counters is None:
            counters = self._of_threads[ident] = ThreadCounters()
        return counters

    def add_batch(self, batch: CountedBatch) -> None:
        """Count a delivered batch. Runs for every batch, so it makes few calls."""
        counters = self._of_threads.get(get_ident()) or self.local
        counters.samples += len(batch)
        counters.batches += 1
        counters.bytes_delivered += batch.nbytes

    def total(self) -> ReaderStats:
        """The sum over all threads and transfer sources."""
        counters = list(self._of_threads.values())
        read = {name: sum(getattr(each, name) for each in counters) for name in ThreadCounters.__slots__}
        transfers = [source.counters for source in self._sources]
        fetched = {name: sum(getattr(each, of) for each in transfers) for name, of in TRANSFER_FIELDS.items()}
        return ReaderStats(**read, **fetched)
