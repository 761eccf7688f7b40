"""The base of datasets that count epochs and can be resumed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import IterableDataset

from ddfast.errors import UnevenBatchesError
from ddfast.torch.epochs import EpochCount, Pass

__all__ = ["CountedDataset"]


class CountedDataset(IterableDataset):
    """Base class: each pass is one epoch, also if DataLoader workers make it.

    Parameters:
        epoch: the first epoch, from 0.
    """

    def __init__(self, epoch: int) -> None:
        self._epochs = EpochCount(epoch)
        self._at: Pass | None = None  # epoch and position of an unfinished pass of this process

    @property
    def epoch(self) -> int:
        """The next epoch. Setting it is the same as `set_epoch`."""
        return self._epochs.next().epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Make this the epoch of the next pass, also of persistent workers.

        A position that `load_state_dict` has set is kept if its epoch is the same.

        Raises:
            TypeError: the epoch is not an integer.
        """
        following = self._epochs.next()
        self._epochs.set(epoch, following.start if following.epoch == epoch else 0)
        self._at = None

    def state_dict(self) -> dict[str, int]:
        """Epoch and position of this process.

        While the workers of a DataLoader make a pass, the state in the main process is the beginning of that pass,
        because they run ahead of what the DataLoader has delivered. torchdata's StatefulDataLoader saves the states
        of the workers.
        """
        if self._epochs.is_of_workers:
            self._at = None
        state = self._at or self._epochs.unfinished() or self._epochs.next()
        return {"epoch": state.epoch, "position": state.start}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Make the next pass continue from a state."""
        self._epochs.set(state["epoch"], state["position"])
        self._at = None

    def __iter__(self) -> Iterator[Any]:
        """One pass of this process over its part.

        Raises:
            UnevenBatchesError: some ranks would deliver more batches than others; also a `RuntimeError`.
        """
        # Begun before the first item is requested, so that a change of the epoch applies to the pass after this one.
        begun = self._at = self._epochs.begin()
        return self._delivering(begun)

    def _delivering(self, begun: Pass) -> Iterator[Any]:
        try:
            self._check(begun)
        except UnevenBatchesError:
            self._epochs.set(begun.epoch, begun.start)
            self._at = None
            raise
        for position, item in self._items(begun):
            self._at = Pass(begun.epoch, position)
            yield item
        self._at = None
        self._epochs.end(begun)

    @abstractmethod
    def _check(self, begun: Pass) -> None:
        """Raise `UnevenBatchesError` unless all ranks have equally many batches in this pass."""

    @abstractmethod
    def _items(self, begun: Pass) -> Iterator[tuple[int, Any]]:
        """The items of this process in a pass, each with the position after it."""
