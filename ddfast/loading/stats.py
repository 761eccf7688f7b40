"""What a reader has done so far, in numbers."""

from __future__ import annotations

from threading import get_ident
from typing import NamedTuple, Protocol

from ddfast.dataset.base import Wire

__all__ = ["Counts", "ReaderStats", "Tally"]

# What of far storage is told, by what `ddfast.storage.Traffic` calls it.
OF_TRAFFIC = {
    "requests": "requests", "bytes_fetched": "bytes", "retries": "retries", "hedged": "hedged",
    "throttled": "throttled", "seconds_storage": "waited",
}  # fmt: skip


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
        requests: requests sent to far storage (URLs), those for index files and all attempts included; 0 for files, as
            all that follows.
        bytes_fetched: bytes that they brought.
        retries: attempts after one that failed.
        hedged: second requests, sent because the first was unusually late.
        throttled: attempts that a server refused because it had too many.
        seconds_storage: how long at least one request was under way. Where this is close to the time of a pass and so
            is `seconds_waited`, storage or the link is what is waited for; where that is small, the program is.
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


class Counts:
    """The same numbers while they grow."""

    __slots__ = (
        "batches", "bytes_delivered", "bytes_read", "listed", "merged", "reads", "samples", "seconds_waited", "skipped",
    )  # fmt: skip

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
        self._wires: list[Wire] = []

    def watch(self, wire: Wire | None) -> None:
        """Count what is read over a wire, too."""
        if wire is not None and wire not in self._wires:
            self._wires.append(wire)

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
        near = {name: sum(getattr(each, name) for each in counts) for name in Counts.__slots__}
        traffics = [wire.traffic for wire in self._wires]
        far = {name: sum(getattr(each, of) for each in traffics) for name, of in OF_TRAFFIC.items()}
        return ReaderStats(**near, **far)
