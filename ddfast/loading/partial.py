"""Batches from which samples may be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ddfast._native.arena import Pool
from ddfast.batch import Batch, Origin
from ddfast.errors import DdfastError
from ddfast.loading.known import KnownColumns
from ddfast.loading.on_error import ErrorPolicy, SamplePlace

if TYPE_CHECKING:
    from typing_extensions import Buffer

    # A packed sample; its error; or None for a sample that is listed as damaged and was not read.
    Outcome = Buffer | Exception | None

__all__ = ["PlacedOrigin", "batch_of_checked", "batch_of_unchecked"]


class PlacedOrigin(Origin, Protocol):
    """The origin of a batch that knows where each sample is stored."""

    def place(self, index: int) -> SamplePlace:
        """See `ddfast.policy.SampleSource`."""


def batch_of_checked(
    outcomes: Sequence[Outcome],
    indices: NDArray[np.int64],
    origin: PlacedOrigin,
    policy: ErrorPolicy,
    *,
    columns: Sequence[str] | None,
    raw: bool,
    known: KnownColumns,
    pool: Pool | None = None,
) -> Batch:
    """A batch of those samples that could be read.

    Parameters:
        outcomes: for each sample its packed bytes, which are checked already; or its error; or None if it is listed.
        indices: index of each sample in the dataset; int64, shape ``(len(outcomes),)``.
        origin: the dataset.
        policy: handles the errors, in the order of the samples.
        columns, raw, pool: as those of `Batch.of`.
        known: has the columns of a batch of which no sample is left.

    Raises:
        Exception: the error of a sample that `policy` does not leave out.
    """
    kept: list[int] = []
    samples: list[Buffer] = []
    for i, outcome in enumerate(outcomes):
        if outcome is None or isinstance(outcome, Exception):
            policy.pass_over(outcome, origin, int(indices[i]))
        else:
            kept.append(i)
            samples.append(outcome)
    if not samples:
        return known.empty(origin, columns, raw)
    return Batch.of(samples, indices[kept], origin, columns=columns, raw=raw, pool=pool)


def batch_of_unchecked(
    outcomes: Sequence[Outcome],
    indices: NDArray[np.int64],
    origin: PlacedOrigin,
    policy: ErrorPolicy,
    *,
    columns: Sequence[str] | None,
    raw: bool,
    known: KnownColumns,
    pool: Pool | None = None,
) -> Batch:
    """As `batch_of_checked`, but checks the samples first, unless they stay packed."""
    samples = [outcome for outcome in outcomes if outcome is not None and not isinstance(outcome, Exception)]
    if len(samples) == len(outcomes):
        try:
            return Batch.of(samples, indices, origin, columns=columns, raw=raw, pool=pool)
        except DdfastError as error:
            if not policy.can_skip(error):
                raise
    if not raw:
        outcomes = [_checked(outcome, indices[i : i + 1], origin) for i, outcome in enumerate(outcomes)]
    return batch_of_checked(
        outcomes, indices, origin, policy, columns=columns, raw=raw, known=known, pool=pool
    )


def _checked(outcome: Outcome, index: NDArray[np.int64], origin: Origin) -> Outcome:
    """A packed sample, or its error."""
    if outcome is not None and not isinstance(outcome, Exception):
        try:
            Batch.of([outcome], index, origin, columns=())
        except DdfastError as error:
            return error
    return outcome
