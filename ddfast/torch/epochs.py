"""The count of epochs that a dataset in the main process shares with the workers of its DataLoaders."""

from __future__ import annotations

import os
import warnings
from operator import index
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
import torch
from numpy.typing import NDArray
from torch.multiprocessing import parent_process
from torch.utils.data import get_worker_info

__all__ = ["EpochCount", "Pass"]

# Rows of each table. With more processes, the oldest entries are overwritten.
ROWS = 256

# Columns of the tables, one after the other in one array: the next pass of each process with a dataset; passes that
# workers have begun; the latest pass of each worker.
OWNER, EPOCH, START, LAST, WORKERS = range(5)
PASS, PASS_EPOCH, PASS_START = range(5, 8)
OF_OWNER, WORKER, SEED, NUMBER, REPEATED, DONE = range(8, 14)
COLUMNS = 14

LARGEST_IDENT = (1 << 63) - 1


class Pass(NamedTuple):
    """One pass of one process over its part of a dataset.

    Parameters:
        epoch: epoch, from 0.
        start: position to begin at.
        ident: the same for all workers that share the pass; 0 in the main process.
    """

    epoch: int
    start: int
    ident: int = 0


class EpochCount:
    """Which epoch comes next, for the process that iterates over a dataset or over a DataLoader with workers.

    The count is in shared memory, so that workers that are started for each pass continue it, and persistent workers
    see changes. All workers of a pass are in the same epoch. Processes that are no workers have separate counts.

    There is no lock, which a killed worker could keep. The workers of a pass recognise it by the seed that torch gave
    them, by its number in their process, and by how often it had the same seed and number. They compute the same epoch
    from the same count, and write the same values.

    Parameters:
        epoch: the first epoch.
    """

    def __init__(self, epoch: int) -> None:
        self._create(epoch, 0)

    def _create(self, epoch: int, start: int) -> None:
        self._creator = os.getpid()
        self._seen = epoch, start  # the next pass when this process was forked or spawned
        self._begun = 0, 0  # process, and passes begun in it
        self._given: Pass | None = None  # the next pass of this worker, if it was set in the worker
        self._shared = torch.zeros((COLUMNS, ROWS), dtype=torch.int64)
        try:
            self._shared.share_memory_()
        except RuntimeError as error:
            warnings.warn(
                f"epochs are counted without shared memory ({error}), so that DataLoader workers do not know the "
                "count: call `set_epoch` before each pass, and do not use persistent workers",
                stacklevel=5,  # the program that creates the dataset
            )
        self.set(epoch, start)
        _COUNTS.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"shared": self._shared, "creator": self._creator, "next": self.next()[:2]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not state["shared"].is_shared():  # a copy, which counts for itself
            self._create(*state["next"])
            return
        self._creator, self._shared = state["creator"], state["shared"]
        self._seen, self._begun, self._given = state["next"], (0, 0), None
        _COUNTS.add(self)

    @property
    def _table(self) -> NDArray[np.int64]:
        table: NDArray[np.int64] = self._shared.numpy()
        return table

    def _row(self) -> int:
        """Row of the process that counts: this one, or the parent of this worker."""
        parent = None if get_worker_info() is None else parent_process()
        owner = os.getpid() if parent is None or parent.pid is None else parent.pid
        row, table = owner % ROWS, self._table
        if table[OWNER, row] != owner:
            table[EPOCH : START + 1, row] = self._seen
            table[LAST, row] = 0
            table[OWNER, row] = owner
        return row

    def next(self) -> Pass:
        """Epoch and start of the next pass."""
        if self._given is not None and get_worker_info() is not None:
            return self._given
        epoch, start = self._table[EPOCH : START + 1, self._row()].tolist()
        return Pass(epoch, start)

    def set(self, epoch: int, start: int = 0) -> None:
        """Make this the next pass; in a worker, of that worker only.

        Raises:
            TypeError: the epoch is not an integer.
        """
        if get_worker_info() is not None:
            self._given = Pass(index(epoch), start)
            return
        following = index(epoch), start
        row, table = self._row(), self._table
        table[EPOCH : START + 1, row] = following
        table[LAST, row] = 0

    def begin(self) -> Pass:
        """Begin the next pass, or join it if another worker has begun it."""
        info = get_worker_info()
        following = self.next()  # read before the pass is looked up, see below
        row, table = self._row(), self._table
        if info is not None:
            ident = self._identify(int(table[OWNER, row]), info)
            at = ident % ROWS
            if self._given is None and table[PASS, at] == ident:
                following = Pass(*table[PASS_EPOCH : PASS_START + 1, at].tolist())
            following = following._replace(ident=ident)
            table[PASS_EPOCH : PASS_START + 1, at] = following[:2]
            table[PASS, at] = ident
            table[WORKERS, row] = info.num_workers
        # Written after the pass: who reads the next epoch here also finds the pass in the table.
        table[LAST, row] = following.ident
        table[EPOCH : START + 1, row] = following.epoch + 1, 0
        self._given = None
        return following

    def _identify(self, owner: int, info: Any) -> int:
        """A number that the workers of a pass have in common."""
        process, begun = self._begun
        number = begun + 1 if process == os.getpid() else 1
        self._begun = os.getpid(), number
        if parent_process() is not None and self._creator == os.getpid():
            warnings.warn(
                f"a dataset was created in the DataLoader worker {info.id}, or copied to it by pickle, so this worker "
                "counts epochs for itself, and from the start if it is not persistent. Create the dataset in the "
                "process of the DataLoader, or call `set_epoch` in each worker",
                stacklevel=4,  # the program that iterates
            )
        seed, table, row = info.seed - info.id, self._table, self._worker_row(owner, info.id)
        before = table[OF_OWNER : REPEATED + 1, row].tolist()
        is_repeated = before[:4] == [owner, info.id, seed, number]
        repeated = before[4] + 1 if is_repeated else 0
        table[OF_OWNER : REPEATED + 1, row] = owner, info.id, seed, number, repeated
        return hash((owner, seed, number, repeated)) % LARGEST_IDENT + 1

    @staticmethod
    def _worker_row(owner: int, worker: int) -> int:
        return (61 * owner + worker) % ROWS

    def end(self, done: Pass) -> None:
        """Report that this process has delivered its part of a pass."""
        info = get_worker_info()
        if info is not None:
            row = self._row()
            self._table[DONE, self._worker_row(int(self._table[OWNER, row]), info.id)] = done.ident

    @property
    def is_of_workers(self) -> bool:
        """Whether the latest pass of this process is one of workers, and the next pass was not set since."""
        return get_worker_info() is None and bool(self._table[LAST, self._row()])

    def unfinished(self) -> Pass | None:
        """The latest pass, if workers have begun it and have not all delivered their parts."""
        if not self.is_of_workers:
            return None
        row, table = self._row(), self._table
        ident, workers, owner = (int(table[column, row]) for column in (LAST, WORKERS, OWNER))
        if all(table[DONE, self._worker_row(owner, worker)] == ident for worker in range(workers)):
            return None
        epoch, start = table[PASS_EPOCH : PASS_START + 1, ident % ROWS].tolist()
        return Pass(epoch, start, ident)


_COUNTS: WeakSet[EpochCount] = WeakSet()


def _remember() -> None:
    """Give the child that is about to be forked the count of this process."""
    for count in list(_COUNTS):
        count._seen = count.next()[:2]


os.register_at_fork(before=_remember)
