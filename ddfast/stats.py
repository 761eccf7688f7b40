"""What a reader has done so far, in numbers."""

from __future__ import annotations

from threading import get_ident
from typing import NamedTuple, Protocol

__all__ = ["Counts", "ReaderStats", "Tally"]


class ReaderStats(NamedTuple):
    """What a reader has done so far; ``reader.stats()`` makes a new one each time.

    Batches, ``get_many`` and `ddfast.AsyncReader` are counted. ``get`` and iteration of blocking readers, which read
    straight from files, are not, but for the samples that they leave out.

    Attributes:
        samples: samples delivered.
        batches: batches delivered, those of ``get_many`` included.
        bytes_delivered: packed bytes of those samples.
        bytes_read: bytes read from storage or the page cache; gaps between samples that share a read are part of it.
        reads: how many reads that took.
        merged: reads that were saved because samples next to each other share one.
        skipped: samples left out by ``on_error``, each time that they were.
        listed: samples left out without reading them, because they are in the list of a `ddfast.policy.Quarantine`.
        seconds_waited: how long the program has waited for batches that were not there yet.
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


class Counts:
    """The same numbers while they grow."""

    __slots__ = ReaderStats._fields

    def __init__(self) -> None:
        self.samples = self.batches = self.bytes_delivered = 0
        self.bytes_read = self.reads = self.merged = 0
        self.skipped = self.listed = 0
        self.seconds_waited = 0.0


class Delivered(Protocol):
    """What is counted of a batch."""

    def __len__(self) -> int:
        """Number of samples."""

    @property
    def nbytes(self) -> int:
        """Bytes of the packed samples."""


class Tally:
    """Counts of several threads: each has its own, so that there is no lock that a fork could leave locked."""

    def __init__(self) -> None:
        self._of_threads: dict[int, Counts] = {}

    @property
    def mine(self) -> Counts:
        """The counts of the calling thread."""
        ident = get_ident()
        counts = self._of_threads.get(ident)
        if counts is None:
            counts = self._of_threads[ident] = Counts()
        return counts

    def add_batch(self, batch: Delivered) -> None:
        """Note that a batch is delivered. Called for each, so it is short of calls."""
        counts = self._of_threads.get(get_ident()) or self.mine
        counts.samples += len(batch)
        counts.batches += 1
        counts.bytes_delivered += batch.nbytes

    def total(self) -> ReaderStats:
        """The sum of all threads."""
        counts = list(self._of_threads.values())
        return ReaderStats(*(sum(getattr(each, name) for each in counts) for name in ReaderStats._fields))
