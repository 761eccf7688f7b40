"""What reads the data files of a remote dataset: their storages, and an agent for each engine."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

from ddfast._native.engine import Engine
from ddfast._native.feed import Feed
from ddfast.storage.base import Storage
from ddfast.storage.transfer.counters import Traffic
from ddfast.storage.transfer.io_thread import BUDGET, SLACK, Agent
from ddfast.storage.transfer.latency import CUT
from ddfast.storage.transfer.limiter import MOST
from ddfast.storage.transfer.retry import Policy
from ddfast.storage.transfer.scheduler import Ledger

__all__ = ["StorageLink", "Wire"]

PLANNED_GAP = 4 << 10

# These of a `Traffic` tell of now; all others are sums.
LEVELS = ("in_flight", "in_flight_max", "limit")

S = TypeVar("S")
T = TypeVar("T")


class Wire:
    """What is known of all that was read over a link in this process; it keeps nothing open."""

    def __init__(self) -> None:
        self.ledgers: list[Ledger] = []

    @property
    def traffic(self) -> Traffic:
        """What was read, counted."""
        total = Traffic()
        for ledger in tuple(self.ledgers):
            for field in fields(Traffic):
                old, new = getattr(total, field.name), getattr(ledger.traffic, field.name)
                setattr(total, field.name, max(old, new) if field.name in LEVELS else old + new)
        return total

    def failure(self, reason: str) -> Exception | None:
        """The error behind the reason that a piece failed with; None where it is not known."""
        errors = (ledger.errors.get(reason) for ledger in tuple(self.ledgers))
        return next((error for error in errors if error is not None), None)

    def best_known(self) -> Ledger | None:
        """The ledger that knows most of the link as it is."""
        return max(self.ledgers, key=lambda ledger: ledger.latency.reads, default=None)


class StorageLink:
    """Reads shards from storages, for any number of engines. Thread safe, and of use after a fork.

    Parameters:
        storages: of the shards, by number; closed with the link, and opened again where they are needed after that or
            in a forked child.
        policy: how patient reads are.
        most: reads in flight at most, for each engine.
        budget: bytes in flight at most, for each engine.
    """

    def __init__(
        self,
        storages: Sequence[Storage],
        policy: Policy | None = None,
        most: int = MOST,
        budget: int = BUDGET,
    ) -> None:
        self._storages = list(storages)
        self._are_open = True
        self._policy = policy or Policy()
        self._most = most
        self._budget = budget
        self.wire = Wire()
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def patience(self) -> float:
        """Seconds that a read takes at most, be it in vain."""
        return self._policy.timeout + SLACK

    @property
    def max_gap(self) -> int:
        """Bytes between two samples that are read with them and stay in memory beside them.

        Larger gaps are read over as well, by the agent, which knows what they are worth now and does not keep them.
        """
        return PLANNED_GAP

    @property
    def max_read(self) -> int:
        """Bytes of one request at most, so that several connections share large reads."""
        known = self.wire.best_known()
        return known.cut if known else CUT

    @property
    def traffic(self) -> Traffic:
        """What all engines have read in this process, counted."""
        return self.wire.traffic

    def serve(self, engine: Engine) -> Agent:
        """Begin to read what an engine wants; `Piece.shard` is the number of the storage."""
        storages = self.opened()
        agent = self._agent(storages, Feed(engine))
        agent.start()
        return agent

    def for_each(self, work: Callable[[Agent, S], Coroutine[Any, Any, T]], items: Sequence[S]) -> list[T]:
        """What `work` gives for each item with an agent of its own, see `Agent.for_each`."""
        with self._agent([], None) as agent:
            return agent.for_each(partial(work, agent), items)

    def opened(self) -> Sequence[Storage]:
        """The storages, as they may be used now and in this process."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._are_open = os.getpid(), False
            if not self._are_open:
                self._storages = [_opened_again(storage) for storage in self._storages]
                self._are_open = True
            return self._storages

    def failure(self, reason: str) -> Exception | None:
        """The error behind the reason that a piece failed with; None where it is not known."""
        return self.wire.failure(reason)

    def close(self) -> None:
        """Close the storages."""
        with self._lock:
            if self._are_open and self._pid == os.getpid():
                for storage in self._storages:
                    storage.close()
            self._are_open = False

    def _agent(self, storages: Sequence[Storage], feed: Feed | None) -> Agent:
        agent = Agent(storages, feed, self._policy, self._most, self._budget)
        self.wire.ledgers.append(agent.ledger)
        return agent


def _opened_again(storage: Storage) -> Storage:
    """The same storage, to be used here and now, which still refuses an object that is another by now."""
    fresh = copy.copy(storage)
    if storage.seen is not None:
        fresh.note(storage.seen)
    return fresh
