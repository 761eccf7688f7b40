"""The origin of batches that are made of the samples of any reader."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddfast._native.decode import Decoder
from ddfast._native.status import E_FIELDS
from ddfast._util.brief import brief
from ddfast.errors import CorruptSampleError, KernelError, PickleRefusedError, TooManyFieldsError
from ddfast.loading.on_error import SamplePlace
from ddfast.reader.contract import SampleReader

__all__ = ["ReaderOrigin"]


class ReaderOrigin:
    """A reader as the origin of batches, see `ddfast.batch.Origin`."""

    def __init__(self, reader: SampleReader) -> None:
        self._reader = reader
        self.decoder = Decoder()

    def keys_of(self, indices: NDArray[np.int64]) -> list[str]:
        """Keys of these samples."""
        return [self._reader.find_key(index) for index in indices.tolist()]

    def place(self, index: int) -> SamplePlace:
        """The path that a sample is read from, and its key."""
        return self._reader._place(index)

    def explain(self, error: KernelError | PickleRefusedError, index: int) -> Exception:
        """The error to raise for a sample that cannot be decoded."""
        name = f"{self._reader!r}: sample {index} ({brief(self._reader.find_key(index))})"
        if isinstance(error, PickleRefusedError):
            return PickleRefusedError(f"{name}: {error}")
        if error.code == E_FIELDS:
            return TooManyFieldsError(f"{self._reader!r}: {error.reason}")
        return CorruptSampleError(f"{name} is damaged at byte {error.pos:,}: {error.reason}")
