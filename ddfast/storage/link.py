"""What reads the data files of a remote dataset: their storages, and an agent for each engine."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Sequence
from dataclasses import fields

from ddfast._native.engine import Engine
from ddfast._native.feed import Feed
from ddfast.storage.agent import BUDGET, Agent
from ddfast.storage.attempts import Policy
from ddfast.storage.base import Storage
from ddfast.storage.flow import MOST
from ddfast.storage.latency import CUT, MIN_GAP
from ddfast.storage.traffic import Traffic

__all__ = ["StorageLink"]

# These of a `Traffic` tell of now; all others are sums.
LEVELS = ("in_flight", "in_flight_max", "limit")


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
        self._agents: list[Agent] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    @property
    def max_gap(self) -> int:
        """Bytes between two samples that are worth reading to save a request, by what was measured so far."""
        agent = self._best_known()
        return agent.gap if agent else MIN_GAP

    @property
    def max_read(self) -> int:
        """Bytes of one request at most, so that several connections share large reads."""
        agent = self._best_known()
        return agent.cut if agent else CUT

    @property
    def traffic(self) -> Traffic:
        """What all engines have read in this process, counted."""
        total = Traffic()
        for agent in self._agents:
            for field in fields(Traffic):
                old, new = getattr(total, field.name), getattr(agent.traffic, field.name)
                setattr(total, field.name, max(old, new) if field.name in LEVELS else old + new)
        return total

    def serve(self, engine: Engine) -> Agent:
        """Begin to read what an engine wants; `Piece.shard` is the number of the storage."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._are_open, self._agents = os.getpid(), False, []
            if not self._are_open:
                self._storages = [_opened_again(storage) for storage in self._storages]
                self._are_open = True
            agent = Agent(self._storages, Feed(engine), self._policy, self._most, self._budget)
            self._agents.append(agent)
        agent.start()
        return agent

    def failure(self, reason: str) -> Exception | None:
        """The error behind the reason that a piece failed with; None where it is not known."""
        return next((error for agent in self._agents if (error := agent.error(reason)) is not None), None)

    def close(self) -> None:
        """Close the storages."""
        with self._lock:
            if self._are_open and self._pid == os.getpid():
                for storage in self._storages:
                    storage.close()
            self._are_open = False

    def _best_known(self) -> Agent | None:
        return max(self._agents, key=lambda agent: agent.latency.reads, default=None)


def _opened_again(storage: Storage) -> Storage:
    """The same storage, to be used here and now, which still refuses an object that is another by now."""
    fresh = copy.copy(storage)
    if storage.seen is not None:
        fresh.note(storage.seen)
    return fresh
