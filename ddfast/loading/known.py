"""What is known of the columns of a dataset from the batches that were read before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ddfast._util.caller import level_of_caller
from ddfast.batch import Batch, Origin
from ddfast.batch.empty import OBJECT, ColumnKind, similar_name

__all__ = ["KnownColumns"]

MAX_SHOWN = 12


class KnownColumns:
    """The columns of the batches of a reader.

    A batch without samples, which has no values to tell the kinds of its columns, gets those of the batches before.

    Parameters:
        name: of the dataset, for warnings.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kinds: dict[str, ColumnKind] = {}
        self._all: tuple[str, ...] = ()  # in order, of the first batch with all columns
        self._noted: set[Sequence[str] | None] = set()
        self._asked: set[str] = set()

    def note(self, batch: Batch, columns: Sequence[str] | None) -> None:
        """Note the columns of a batch; only the first batch with samples counts.

        Parameters:
            batch: the batch.
            columns: the columns that were asked for; None for all.
        """
        if columns in self._noted or not len(batch):
            return
        self._noted.add(columns)
        kinds = batch.known_kinds()
        for name, kind in kinds.items():
            self._kinds.setdefault(name, kind)
        if columns is None:
            self._all = tuple(kinds)

    def warn_of_missing(self, batch: Batch, columns: Sequence[str] | None) -> None:
        """Warn, once for each name, if the first batch has no column for a name that was asked for."""
        if not columns or not len(batch):
            return
        new = [name for name in columns if name not in self._asked]
        if not new:
            return
        self._asked.update(new)
        missing = [name for name in new if name not in self._kinds]
        if not missing or not (fields := batch.fields_of_first()):
            return
        shown = ", ".join(fields[:MAX_SHOWN]) + (", ..." if len(fields) > MAX_SHOWN else "")
        for name in missing:
            warnings.warn(
                f"{self._name}: no sample of the first batch has a field {name!r}{similar_name(name, fields)} "
                f"Its first sample has the fields {shown}",
                stacklevel=level_of_caller(),
            )

    def empty(self, origin: Origin, columns: Sequence[str] | None, raw: bool) -> Batch:
        """A batch without samples, with the columns that were asked for; None for all that are known."""
        names = self._all if columns is None else columns
        return Batch.empty(origin, {name: self._kinds.get(name, OBJECT) for name in names}, raw)
